import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { RouteTarget } from './ask-environments.js';

/** What of a delivery is still to be deployed, and what is to be said of what it had started before. Pure. */
export function leaveOutStarted(
  wanted: readonly RouteTarget[],
  started: readonly DeploymentRow[],
): { readonly targets: readonly RouteTarget[]; readonly leftOut: readonly DeploymentRow[] } {
  const found = wanted.map((target) => ({ target, by: started.find((one) => isThat(one, target)) }));
  return {
    targets: found.flatMap(({ target, by }) => (by === undefined ? [target] : [])),
    leftOut: found.flatMap(({ by }) => by ?? []),
  };
}

function isThat(one: DeploymentRow, { fraise, environment, event }: RouteTarget): boolean {
  return one.fraise === fraise && one.environment === environment && one.commit === event.commit;
}

/** Why it was left out. */
export function alreadyDeployed({ id, fraise, environment, commit, status }: DeploymentRow): Reason {
  const message = `${fraise} ${environment} was left out: ${id} of this delivery has this commit already (${status})`;
  const hint = `fraisier deploy ${fraise} ${environment} --commit ${commit}`;
  return reason('duplicate_delivery', message, { hint, facts: { fraise, environment, deployment: id } });
}
