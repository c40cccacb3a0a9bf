import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import { dealBatches } from './batches.js';
import { endedBadly, wasUnhealthy, type LatestRuns } from './runs-of-deployment.js';

/**
 * The hosts of a plan with their batches, in the order of release: what was unhealthy before comes first, because nothing is lost
 * there, and what could not be prepared is not among them. The batches are dealt again to that order, so that the first that is
 * touched is a canary in any case.
 */
export function inReleaseOrder(plan: DeploymentPlan, latest: LatestRuns): DeploymentPlan['hosts'] {
  const among = plan.hosts.filter(({ host }) => !isOut(latest, host));
  const isUnhealthy = ({ host }: DeploymentPlan['hosts'][number]): boolean => wasUnhealthy(latest, host);
  const first = among.filter(isUnhealthy);
  const isAsPlanned = first.length === 0 && among.length === plan.hosts.length;
  // A plan that was frozen by an older version says nothing of sizes.
  if (isAsPlanned || plan.batchSizes.length === 0) return plan.hosts;
  const order = [...first, ...among.filter((one) => !isUnhealthy(one))];
  const batches = dealBatches(
    order.map(({ zone }) => zone),
    plan.batchSizes,
  );
  return order.map((one, at) => ({ ...one, batch: batches[at] as number }));
}

function isOut(latest: LatestRuns, host: string): boolean {
  const prepared = latest.of(host, 'prepare');
  return prepared !== undefined && endedBadly(prepared) && latest.of(host, 'release') === undefined;
}
