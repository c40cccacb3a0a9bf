import {
  MIGRATION_TOOL_NAMES,
  migrationTool,
  type MigrationToolName,
} from '../recipes/migration-tools/index.js';
import { isProtected } from './build-environment.js';
import type { Surroundings } from './build-environment.js';
import { error, warning } from './finding.js';
import type { Finding } from './finding.js';
import type { Settings } from './inherit-settings.js';
import type { WrittenDatabase } from './schema-database.js';

/** What of `database` is missing, has no meaning beside the rest, or would destroy what is protected. */
export function checkDatabase({ environment }: Surroundings, settings: Settings): readonly Finding[] {
  const { database } = settings.values;
  if (database === undefined || database.strategy === 'none') return [];
  const at = (key: keyof WrittenDatabase) => settings.pathOf('database', key);
  const { tool } = database;
  if (tool === undefined)
    return [error(at('tool'), `is missing; must be one of ${MIGRATION_TOOL_NAMES.join(', ')}`)];
  const rebuild = database.strategy === 'rebuild';
  return [
    ...checkCommands(database, tool, at),
    ...(rebuild
      ? checkRebuild(database, tool, at, isProtected(environment, settings.values) ? environment : null)
      : checkWayDown(database, at)),
  ];
}

type PathOf = (key: keyof WrittenDatabase) => ReturnType<Settings['pathOf']>;

function checkCommands(database: WrittenDatabase, name: MigrationToolName, at: PathOf): readonly Finding[] {
  const tool = migrationTool(name);
  const findings: Finding[] = [];
  if (name === 'command' && database.up === undefined) {
    findings.push(error(at('up'), 'is missing; must be the list of words of the command that migrates'));
  }
  if (name === 'command' && database.command !== undefined) {
    findings.push(
      error(at('command'), 'has no meaning with tool: command; write up, down and status', 'key'),
    );
  }
  if (tool.directory === null && database.directory !== undefined) {
    findings.push(
      error(at('directory'), `has no meaning to ${name}; say it in command or in its own settings`, 'key'),
    );
  }
  if (tool.down === null) return findings;
  const own = (['up', 'down', 'status'] as const).filter((key) => database[key] !== undefined);
  return [
    ...findings,
    ...own.map((key) => error(at(key), `has no meaning with ${name}, ${OWN_COMMANDS}`, 'key')),
  ];
}

const OWN_COMMANDS = 'whose own commands are used; for others say tool: command';

function checkWayDown({ down, status }: WrittenDatabase, at: PathOf): readonly Finding[] {
  if (down === undefined || status !== undefined) return [];
  const message = 'never used without status: what was applied is not known, so it cannot be undone';
  return [warning(at('down'), message, 'key')];
}

function checkRebuild(
  database: WrittenDatabase,
  tool: MigrationToolName,
  at: PathOf,
  kept: string | null,
): readonly Finding[] {
  const findings = (['down', 'status'] as const)
    .filter((key) => database[key] !== undefined)
    .map((key) => error(at(key), 'has no meaning with rebuild, which makes the database anew', 'key'));
  if (tool !== 'command' && database.up === undefined && migrationTool(tool).rebuild === null) {
    findings.push(
      error(at('strategy'), `${tool} cannot drop and make a database anew; use tool: command with up`),
    );
  }
  if (kept === null) return findings;
  const message = `rebuild destroys data and ${kept} is protected; use apply, or say protected: false`;
  return [...findings, error(at('strategy'), message)];
}
