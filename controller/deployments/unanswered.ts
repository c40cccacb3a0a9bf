import { failures } from './failed-hosts.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { LatestRuns } from './runs-of-deployment.js';

/** The hosts on which a paused deployment failed, of which nobody has said yet what becomes of them. What was only stopped goes on. */
export function unansweredHosts(deployment: DeploymentRow, latest: LatestRuns): readonly string[] {
  const answered = deployment.answers.map(({ host }) => host);
  const failed = failures(deployment, latest).filter(({ status }) => status !== 'cancelled');
  return [...new Set(failed.map(({ host }) => host))].filter((host) => !answered.includes(host));
}

/** What may be typed so that a paused deployment goes on or back, the safe one first. */
export function waysOn(deployment: DeploymentRow, latest: LatestRuns): string {
  const { id, fraise, environment } = deployment;
  const [first] = unansweredHosts(deployment, latest);
  if (first === undefined) return `fraisier continue ${id}`;
  const each = [`fraisier retry ${id} --host ${first}`, `fraisier skip ${id} --host ${first}`];
  return [`fraisier continue ${id}`, ...each, `fraisier rollback ${fraise} ${environment}`].join(' or ');
}
