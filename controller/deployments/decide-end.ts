import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import { rolledBackBut } from './decide-rollback.js';
import { failures } from './failed-hosts.js';
import type { Answer, DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { failureOf, reason } from './reason.js';
import { hostsOf, planOf, previousOf, undoOf, type LatestRuns } from './runs-of-deployment.js';

/** The end of a rollout that went as far as it could: failed where hosts did, and its reason tells what is live on each. */
export function endOfRollout(
  { deployment }: Situation,
  latest: LatestRuns,
  warning: Reason | null,
): Decision {
  if (deployment.kind === 'rollback')
    return { move: { to: 'succeeded', reason: rolledBackBut(deployment, warning) } };
  const failed = failures(deployment, latest);
  if (failed.length > 0) return { move: { to: 'failed', reason: hostsFailed(deployment, failed, latest) } };
  return { move: { to: 'succeeded', reason: leftOut(deployment, latest, warning) } };
}

function hostsFailed(deployment: DeploymentRow, failed: readonly RunRow[], latest: LatestRuns): Reason {
  const hosts = failed.map(({ host }) => host);
  const each = failed.map((run) => `${failureOf(run).message} (${whatBecameOf(run, latest)})`);
  const message = [liveOn(deployment, hosts), ...each, ...othersLeftOut(deployment, latest)].join('; ');
  return reason('hosts_failed', message, {
    hint: retryOf(deployment, hosts),
    facts: {
      failed: hosts.join(' '),
      lost: failed.flatMap((run) => (wasAway(run) ? [run.host] : [])).join(' '),
      cause: failureOf(failed[0] as RunRow).code,
    },
  });
}

/** Lost in the middle, or never there for what was to be sent. */
function wasAway({ status, dispatchedAt }: RunRow): boolean {
  return status === 'lost' || dispatchedAt === null;
}

/** By somebody's word, or because they were away. Null: none was, and there is nothing else to say. */
function leftOut(deployment: DeploymentRow, latest: LatestRuns, warning: Reason | null): Reason | null {
  const skipped = deployment.answers.filter(({ act }) => act === 'skip').map(({ host }) => host);
  const away = planOf(deployment).leftOut;
  const hosts = [...skipped, ...away];
  if (hosts.length === 0) return warning;
  const why =
    warning ?? reason(skipped.length > 0 ? 'hosts_skipped' : 'agent_away', liveOn(deployment, hosts));
  return {
    ...why,
    message: [why.message, ...othersLeftOut(deployment, latest)].join('; '),
    hint: retryOf(deployment, hosts),
    facts: { ...why.facts, skipped: hosts.join(' ') },
  };
}

function liveOn(deployment: DeploymentRow, without: readonly string[]): string {
  const hosts = hostsOf(planOf(deployment));
  const live = hosts.filter((host) => !without.includes(host) && !isSkipped(deployment, host));
  return `live on ${live.join(', ')}`;
}

function isSkipped({ answers }: DeploymentRow, host: string): boolean {
  return answers.some((answer) => answer.act === 'skip' && answer.host === host);
}

function othersLeftOut(deployment: DeploymentRow, latest: LatestRuns): readonly string[] {
  const skipped = deployment.answers.filter(({ act }) => act === 'skip');
  const away = planOf(deployment).leftOut;
  return [
    ...skipped.map((answer) => skippedBy(answer, latest)),
    ...(away.length === 0 ? [] : [`left as they were, because they did not answer: ${away.join(', ')}`]),
  ];
}

function skippedBy({ host, by }: Answer, latest: LatestRuns): string {
  const release = latest.dispatched('release').find((run) => run.host === host);
  const state = release === undefined ? 'was not touched' : whatBecameOf(release, latest);
  return `${by} skipped ${host}, which ${state}`;
}

/** Of a host on which it failed. */
function whatBecameOf(run: RunRow, latest: LatestRuns): string {
  if (run.phase === 'prepare' || run.dispatchedAt === null) return 'was not touched';
  if (undoOf(latest, run)?.status !== 'succeeded') return 'could not be taken back';
  const previous = previousOf(latest, run.host);
  return previous === '' ? 'is stopped: it had no release before' : `is back on ${previous.slice(0, 12)}`;
}

function retryOf({ id }: DeploymentRow, hosts: readonly string[]): string {
  return `fraisier retry ${id} --host ${hosts.join(',')}`;
}
