import { Direction, Migration, type MigrationState, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Database } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { migrationTool } from './migration-tools/index.js';
import type { ToolSettings, Words } from './migration-tools/tool.js';
import { stepOf } from './step-of.js';

/** How the database is migrated, as a plan is frozen with it; the same for every kind of fraise. */
export function migrationOf(database: Database): Migration {
  const tool = migrationTool(database.tool);
  const settings = { program: database.command ?? tool.program, directory: database.directory ?? '' };
  const rebuilt = database.strategy === 'rebuild';
  const status = rebuilt ? [] : wordsOr(database.status, tool.status(settings));
  return Migration.fromPartial({
    tool: database.tool,
    ...settings,
    user: database.user ?? '',
    timeoutMs: database.timeoutMs,
    environment: limits(database),
    up: argvs(upOf(database, settings)),
    status: argvs(status),
    down: database.down ?? [],
    reversible: status.length > 0 && (database.down !== null || tool.down !== null),
    allowIrreversible: database.allowIrreversible,
    ...backupOf(database),
  });
}

function upOf({ strategy, tool: name, up }: Database, settings: ToolSettings): readonly Words[] {
  const tool = migrationTool(name);
  const rebuild = strategy === 'rebuild' ? tool.rebuild : null;
  if (rebuild !== null && up === null) return rebuild(settings);
  return [up ?? tool.up(settings)];
}

function wordsOr(own: Words | null, otherwise: readonly Words[]): readonly Words[] {
  return own === null ? otherwise : [own];
}

function argvs(lines: readonly Words[]): { words: string[] }[] {
  return lines.map((words) => ({ words: [...words] }));
}

/** Understood by everything on libpq, lib/pq and node-postgres. */
function limits({ lockTimeoutMs, statementTimeoutMs }: Database): Record<string, string> {
  const options = [
    ...(lockTimeoutMs === null ? [] : [`-c lock_timeout=${lockTimeoutMs}`]),
    ...(statementTimeoutMs === null ? [] : [`-c statement_timeout=${statementTimeoutMs}`]),
  ];
  return options.length === 0 ? {} : { PGOPTIONS: options.join(' ') };
}

function backupOf({ backupBefore }: Database): Parameters<typeof Migration.fromPartial>[0] {
  if (backupBefore === null) return {};
  const { command, verify, timeoutMs, user } = backupBefore;
  const line = (one: typeof command) => commandOf({ command: one, user, timeoutMs }, '');
  return {
    backup: { command: line(command), ...(verify === null ? {} : { verify: line(verify) }) },
    backupTimeoutMs: timeoutMs,
  };
}

/** What a look at the database is held against. */
export interface Look {
  readonly expect?: MigrationState | undefined;
  /** Also good: some of the expected pending were applied since. */
  readonly progress?: boolean;
  /** Good only: so many of the expected pending were applied since. */
  readonly applied?: number;
}

/** Asks the tool for its status in the tree of `commit`; empty when it has none. */
export function lookAtDatabase(
  { tool, status, user, directory, timeoutMs }: Migration,
  commit: string,
  name: string,
  look: Look = {},
  more: Pick<Partial<Step>, 'afterFailure'> = {},
): Step[] {
  const [first, ...further] = status;
  if (first === undefined) return [];
  const value = { argv: first.words, further, tool, user, directory, commit, ...look };
  return [stepOf(name, timeoutMs, { $case: 'migrationStatus', value }, more)];
}

/**
 * One command that changes the database; never done twice.
 * `environment` goes beside the limits of the configuration.
 */
export function migrating(
  { user, timeoutMs, environment: limited }: Migration,
  commit: string,
  name: string,
  direction: Direction,
  argv: Words,
  environment: Readonly<Record<string, string>> = {},
  anyArguments = 0,
): Step {
  const all = { ...limited, ...environment };
  const value = { direction, argv: [...argv], user, commit, environment: all, anyArguments };
  return stepOf(name, timeoutMs, { $case: 'migrate', value }, { repeatable: false });
}

/** Applies what is pending: the backup first, if there is one, and then the tool's own command (several where it rebuilds). */
export function migrateUp(migration: Migration, commit: string): Step[] {
  return [
    ...backup(migration, commit),
    ...migration.up.map(({ words }, at) =>
      migrating(migration, commit, numbered('migrate', at), Direction.UP, words),
    ),
  ];
}

function backup({ backup: wanted, backupTimeoutMs }: Migration, commit: string): Step[] {
  if (wanted === undefined) return [];
  const { command, verify } = wanted;
  const value = {
    command: { ...command, commit },
    ...(verify === undefined ? {} : { verify: { ...verify, commit } }),
  };
  return [stepOf('backup', backupTimeoutMs, { $case: 'backup', value })];
}

/** `name`, `name_2`, `name_3`. */
export function numbered(name: string, at: number): string {
  return at === 0 ? name : `${name}_${at + 1}`;
}
