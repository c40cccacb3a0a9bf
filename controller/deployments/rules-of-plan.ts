import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';

/** How a rollout goes over its hosts, in sentences for a person; none for one host alone. Pure. */
export function rulesOf(plan: DeploymentPlan): string[] {
  const { hosts, beside, minHealthy, bakeMs } = plan;
  if (hosts.length < 2) return [];
  const fleet = hosts.length + beside.length;
  return [
    failing(plan),
    ...(minHealthy > 0
      ? [`${minHealthy} of ${fleet} hosts stay healthy: a batch is made smaller where it must be`]
      : []),
    ...(bakeMs > 0 ? [`${bakeMs / 1000} s pass between one batch and the next`] : []),
  ];
}

function failing({ hosts, maxFailures, onFailure, rollback }: DeploymentPlan): string {
  if (rollback !== undefined) return 'the first host that fails stops it where it is';
  const then = whatFollows(onFailure);
  if (maxFailures === 0) return `when a host fails ${then}`;
  return `${maxFailures} of ${hosts.length} hosts may fail, whatever the batch; when one more does ${then}`;
}

function whatFollows(onFailure: string): string {
  switch (onFailure) {
    case 'pause':
      return 'it pauses';
    case 'stop':
      return 'it stops where it is';
    default:
      return 'all of them go back';
  }
}
