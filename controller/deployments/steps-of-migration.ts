import type { DeploymentPlan, Migration, Rollback, Step } from '../../proto/gen/fraisier/v1/plan.js';
import { lookAtDatabase, migrateUp } from '../recipes/database.js';
import { migrateDown } from '../recipes/database-down.js';
import { isHookAt } from '../recipes/hooks.js';
import { migrationRecord } from './migration-record.js';
import type { LatestRuns } from './runs-of-deployment.js';

/** Last in `prepare` on the migrating host: what is frozen as pending; before a rollback, that it is as the record says. */
export function measureSteps({ migration, commit, rollback }: DeploymentPlan): readonly Step[] {
  if (migration === undefined) return [];
  if (rollback === undefined) return lookAtDatabase(migration, commit, 'migration_status');
  return lookAtDatabase(migration, rollback.from, 'migration_unchanged', { expect: rollback.after });
}

/**
 * Refuses a database that changed since `prepare` froze the pending set; says afterwards, also after a failure, what is
 * applied now. A second attempt looks first, and takes what the one before it applied of the frozen set as done.
 */
export function migrateSteps(
  plan: DeploymentPlan,
  hooks: readonly Step[],
  latest: LatestRuns,
): readonly Step[] {
  const { migration, commit, migratingHost } = plan;
  if (migration === undefined) return [];
  const expect = latest.of(migratingHost, 'prepare')?.migration ?? undefined;
  const progress = latest.dispatched('migrate').length > 0;
  const after = (step: Step) => isHookAt('after_migrate', step);
  return [
    ...lookAtDatabase(migration, commit, 'migration_unchanged', { expect, progress }),
    ...hooks.filter((step) => !after(step)),
    ...migrateUp(migration, commit),
    ...lookAtDatabase(
      migration,
      commit,
      'migration_applied',
      { expect, progress: true },
      { afterFailure: true },
    ),
    ...hooks.filter(after),
  ];
}

/** Undoes exactly what this deployment applied; where that is not known, only looks whether anything is left of it. */
export function migrateDownSteps(plan: DeploymentPlan, latest: LatestRuns): readonly Step[] {
  const { migration, commit, rollback } = plan;
  if (migration === undefined) return [];
  if (rollback !== undefined) return rollbackSteps(migration, rollback);
  const record = migrationRecord(plan, latest);
  if (record.is === 'measured') return migrateDown(migration, commit, record);
  const before = record.is === 'unknown' ? record.before : null;
  return lookAtDatabase(migration, commit, 'migration_undone', { expect: before ?? undefined });
}

/** The way down of a rollback on demand, by what the record says was applied since its target. */
function rollbackSteps(migration: Migration, { from, applied, before, after }: Rollback): readonly Step[] {
  if (before === undefined || after === undefined) return [];
  return migrateDown(migration, from, { before, after, applied });
}
