import { Moment, type DeploymentPlan, type MigrationState } from '../../proto/gen/fraisier/v1/plan.js';
import { appliedBetween } from '../recipes/database-down.js';
import type { RunRow } from './ledger/run.js';
import type { LatestRuns } from './runs-of-deployment.js';

/** What the record knows of what a deployment did to its database. */
export type MigrationRecord =
  /** No migration was sent to a host, or it ended before it began. */
  | { readonly is: 'not_begun' }
  /** `applied` of what was pending, newest first; nothing else, and nothing more. */
  | {
      readonly is: 'measured';
      readonly before: MigrationState;
      readonly after: MigrationState;
      readonly applied: readonly string[];
    }
  | { readonly is: 'unknown'; readonly before: MigrationState | null };

/** Reads it from the states that were measured in `prepare` and around `migrate`. Never a guess: law 5. */
export function migrationRecord({ migratingHost }: DeploymentPlan, latest: LatestRuns): MigrationRecord {
  const before = latest.of(migratingHost, 'prepare')?.migration ?? null;
  const [migrated] = latest.dispatched('migrate');
  if (migrated === undefined) return { is: 'not_begun' };
  const after = migrated.migration;
  if (after?.moment === Moment.AFTER) return measured(before, after);
  if (after?.moment === Moment.BEGUN || !endIsKnown(migrated)) return { is: 'unknown', before };
  // A later attempt found what the ones before it had left, and accepted that.
  if (migrated.attempt > 1) return after === null ? { is: 'unknown', before } : measured(before, after);
  return { is: 'not_begun' };
}

/** The way down that was sent to its host, unless it is known that it was stopped before it began to change the database. */
export function wayDownSent(latest: LatestRuns): RunRow | undefined {
  return latest.dispatched('migrate_down').find((run) => run.status !== 'cancelled' || mayHaveBegun(run));
}

function mayHaveBegun({ attempt, migration }: RunRow): boolean {
  return attempt > 1 || (migration?.moment ?? Moment.UNSPECIFIED) !== Moment.UNSPECIFIED;
}

/** Everything the host did was heard of, and no migration was begun among it. */
function endIsKnown({ status, migration }: RunRow): boolean {
  if (status === 'failed' || status === 'cancelled') return true;
  return status === 'interrupted' && migration !== null;
}

function measured(before: MigrationState | null, after: MigrationState): MigrationRecord {
  if (before === null) return { is: 'unknown', before };
  return { is: 'measured', before, after, applied: appliedBetween(before, after) };
}

/** Those of what was applied that have no way down; all of it where the tool has none. */
export function keptOf(
  { migration }: DeploymentPlan,
  record: Extract<MigrationRecord, { is: 'measured' }>,
): readonly string[] {
  if (migration?.reversible !== true) return record.applied;
  return record.applied.filter((id) => record.before.irreversible.includes(id));
}
