import {
  Direction,
  type Migration,
  type MigrationState,
  type Step,
} from '../../proto/gen/fraisier/v1/plan.js';
import { lookAtDatabase, migrateUp, migrating, numbered } from './database.js';
import { migrationTool } from './migration-tools/index.js';
import type { Way, Words } from './migration-tools/tool.js';

/**
 * From exactly `after` to exactly `before`: looks first, undoes `applied` (newest first), and proves the end. Every command
 * is a step of its own. Nothing applied: only the proof. `commit` is the release whose tree holds the files.
 */
export function migrateDown(migration: Migration, commit: string, way: Way): Step[] {
  const proof = lookAtDatabase(migration, commit, 'migration_undone', { expect: way.before });
  if (way.applied.length === 0) return proof;
  return [
    ...lookAtDatabase(migration, commit, 'migration_unchanged', { expect: way.after }),
    ...commands(migration, commit, way),
    ...proof,
  ];
}

function commands(migration: Migration, commit: string, way: Way): Step[] {
  const environment = { FRAISIER_REVISION: way.before.revision, FRAISIER_APPLIED: way.applied.join(' ') };
  const { oneByOne, lines } = linesOf(migration, way);
  return lines.flatMap((argv, at) => [
    ...(oneByOne && at > 0 ? between(migration, commit, way, at) : []),
    migrating(migration, commit, numbered('migrate_down', at), Direction.DOWN, argv, environment),
  ]);
}

/** The newest is undone each time, so what is the newest now is made sure of. */
function between(migration: Migration, commit: string, { before, applied }: Way, undone: number): Step[] {
  const look = { expect: before, applied: applied.length - undone };
  return lookAtDatabase(migration, commit, numbered('migration_between', undone - 1), look);
}

function linesOf(migration: Migration, way: Way): { oneByOne: boolean; lines: readonly Words[] } {
  if (migration.down.length > 0) return { oneByOne: false, lines: [migration.down] };
  const { down } = migrationTool(migration.tool);
  if (down === null) return { oneByOne: false, lines: [] };
  return { oneByOne: down.oneByOne, lines: down.commands(migration, way) };
}

/** What was applied of `before`'s pending, newest first. */
export function appliedBetween(before: MigrationState, after: MigrationState): readonly string[] {
  const left = new Set(after.pending);
  return before.pending.filter((id) => !left.has(id)).reverse();
}

/** Every command that a deployment may come to run on its database: for a policy that is asked beforehand. */
export function migrationCommands(migration: Migration, commit: string): Step[] {
  return [
    ...lookAtDatabase(migration, commit, 'migration_status'),
    ...migrateUp(migration, commit),
    ...downCommands(migration, commit),
  ];
}

function downCommands(migration: Migration, commit: string): Step[] {
  if (!migration.reversible) return [];
  const { down } = migrationTool(migration.tool);
  // The revision or the names that follow are known only when it is needed.
  const { argv, words } =
    down === null || migration.down.length > 0
      ? { argv: migration.down, words: 0 }
      : { argv: down.begin(migration), words: down.words };
  return [migrating(migration, commit, 'migrate_down', Direction.DOWN, argv, {}, words)];
}
