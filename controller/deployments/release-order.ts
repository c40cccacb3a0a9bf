import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import { dealBatches } from './batches.js';
import { wasUnhealthy, type LatestRuns } from './runs-of-deployment.js';

/**
 * The hosts of a plan with their batches, in the order of release: what was unhealthy before comes first, because nothing is lost
 * there, and the batches are dealt again to that order.
 */
export function inReleaseOrder(plan: DeploymentPlan, latest: LatestRuns): DeploymentPlan['hosts'] {
  const isUnhealthy = ({ host }: DeploymentPlan['hosts'][number]): boolean => wasUnhealthy(latest, host);
  const first = plan.hosts.filter(isUnhealthy);
  // A plan that was frozen by an older version says nothing of sizes.
  if (first.length === 0 || plan.batchSizes.length === 0) return plan.hosts;
  const order = [...first, ...plan.hosts.filter((one) => !isUnhealthy(one))];
  const batches = dealBatches(
    order.map(({ zone }) => zone),
    plan.batchSizes,
  );
  return order.map((one, at) => ({ ...one, batch: batches[at] as number }));
}
