import type { DeploymentPlan, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from './reason.js';
import type { LatestRuns } from './runs-of-deployment.js';

/**
 * Why the migration that `prepare` found pending must not be begun: something of it has no way down, and nobody allowed
 * that. Null: it may. Asked before anything is touched.
 */
export function refusedAsIrreversible(plan: DeploymentPlan, latest: LatestRuns): Reason | null {
  const { migration, migratingHost } = plan;
  if (migration === undefined || migration.allowIrreversible) return null;
  const state = latest.of(migratingHost, 'prepare')?.migration ?? null;
  if (state === null)
    return refusal([], `${migration.tool} cannot tell what it applies, so nothing of it could be undone`);
  const names = migration.reversible ? state.irreversible : state.pending;
  if (names.length === 0) return null;
  return refusal(names, `${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} no way down`);
}

function refusal(names: readonly string[], why: string): Reason {
  return reason('irreversible_migration', `the migration was not begun, nothing was touched: ${why}`, {
    hint: 'write the way down, or say database: { allow_irreversible: true }',
    facts: { migrations: names.join(' ') },
  });
}
