import type { z } from 'zod';
import * as word from './schema-words.js';

const OTHER_TOOLS =
  'confiture alembic django flask_migrate knex prisma dbmate flyway rails sql peewee sqitch goose liquibase'.split(
    ' ',
  );
const otherTools = Object.fromEntries(
  OTHER_TOOLS.map((tool) => [
    tool,
    `tool ${tool} ${word.NOT_YET}; use tool: command with up, down and status`,
  ]),
);

const argvOnly = word.argv.describe('A list of words; for a shell write [sh, -c, "…"]');
/** How the database of an environment is migrated. */
export const database = word.map({
  strategy: word
    .oneOf(['apply', 'migrate', 'rebuild', 'none'], {
      restore_migrate: `restore_migrate ${word.NOT_YET}; use apply, rebuild or none`,
    })
    .optional()
    .describe(
      'apply: what is pending; rebuild: `up` makes it anew; none. Default apply (`migrate` is the same)',
    ),
  tool: word.oneOf(['command'], otherTools).optional(),
  on: word.hostName.optional().describe('The one host that migrates; default: the first'),
  up: argvOnly.optional(),
  down: argvOnly
    .optional()
    .describe('Undoes what `up` applied; without it a migration is a point of no return'),
  status: argvOnly
    .optional()
    .describe('Prints {"revision": "…"|null, "pending": ["id", …]} as its last line'),
  user: word.unixUser.optional(),
  timeout: word.duration(1).optional().describe('Of one call; default: the timeout of the environment'),
});

export type WrittenDatabase = z.infer<typeof database>;
