import { z } from 'zod';
import { MIGRATION_TOOL_NAMES } from '../recipes/migration-tools/index.js';
import * as word from './schema-words.js';

const OTHER_TOOLS = ['peewee', 'sqitch', 'goose', 'liquibase'];
const otherTools = Object.fromEntries(
  OTHER_TOOLS.map((tool) => [
    tool,
    `tool ${tool} ${word.NOT_YET}; use tool: command with up, down and status`,
  ]),
);

const argvOnly = word.argv.describe('A list of words; for a shell write [sh, -c, "…"]');

const backup = word.map({
  command: word.commandLine.describe('Makes the backup; a list is run as it stands, a string by /bin/sh'),
  verify: word.commandLine
    .optional()
    .describe(
      'Must succeed too; without it the last line of `command` must be the path of a new file that is not empty',
    ),
  user: word.unixUser.optional(),
  timeout: word.duration(1).optional(),
});

/** How the database of an environment is migrated. */
export const database = word.map({
  strategy: word
    .oneOf(['apply', 'migrate', 'rebuild', 'none'], {
      restore_migrate: `restore_migrate ${word.NOT_YET}; use apply, rebuild or none`,
    })
    .optional()
    .describe(
      'apply: what is pending; rebuild: drop and make anew; none. Default apply (`migrate` is the same)',
    ),
  tool: word.oneOf(MIGRATION_TOOL_NAMES, otherTools).optional(),
  on: word.hostName.optional().describe('The one host that migrates; default: the first'),
  command: argvOnly
    .optional()
    .describe("The words before the tool's own, such as [poetry, run, alembic]; default: its name"),
  directory: word.relativePath
    .optional()
    .describe('Folder of the migrations; default: where the tool looks itself'),
  up: argvOnly.optional().describe('tool: command. Migrates'),
  down: argvOnly
    .optional()
    .describe('tool: command. Undoes what `up` applied; without it a migration is a point of no return'),
  status: argvOnly
    .optional()
    .describe('tool: command. Prints {"revision": "…"|null, "pending": ["id", …]} as its last line'),
  user: word.unixUser.optional(),
  timeout: word.duration(1).optional().describe('Of one command; default: the timeout of the environment'),
  lock_timeout: word.duration(1).optional().describe('PostgreSQL: waiting for one lock, by PGOPTIONS'),
  statement_timeout: word.duration(1).optional().describe('PostgreSQL: one statement, by PGOPTIONS'),
  allow_irreversible: z
    .boolean()
    .optional()
    .describe('Apply migrations that have no way down; default false, with rebuild true'),
  backup_before: backup.optional().describe('No verified backup, no migration'),
});

export type WrittenDatabase = z.infer<typeof database>;
