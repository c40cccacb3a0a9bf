import { REMEMBERED } from '../../../controller/deployments/catch-up.js';
import { isCatchUp, leftBehind, wentLive } from '../../../controller/deployments/left-behind.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { deploymentHasEnded } from '../../../controller/deployments/lifecycle.js';
import type { Cluster } from '../cluster.js';
import { locksInForce, type LedgerState } from '../ledger-state.js';
import type { Pair } from '../software.js';
import type { World } from '../world.js';

/** Who was left out because it was away, and is to be brought up to date when it is back: who still waits for that, in words. */
export function notCaughtUp(cluster: Cluster, { catchingUp }: World, state: LedgerState): readonly string[] {
  return catchingUp.flatMap((pair) => {
    if (isHeldUp(pair, cluster, state)) return [];
    const ended = endedOf(pair, state);
    const live = ended.find(wentLive)?.commit;
    return leftBehind(ended)
      .filter(({ wasAway, wasTried }) => wasAway && !wasTried)
      .filter(({ host }) => live !== undefined && liveOn(cluster, host, pair) !== live)
      .map(({ host, by }) => `${host}, left out by ${by.id}, is not caught up`);
  });
}

/** It comes when nothing else is under way, and no lock holds it up. */
function isHeldUp(pair: Pair, cluster: Cluster, state: LedgerState): boolean {
  return (
    state.deployments.some((row) => isOf(pair)(row) && !deploymentHasEnded(row.status)) ||
    locksInForce(state, cluster.now()).some(isOf(pair))
  );
}

/** As many as are remembered, the newest first. */
function endedOf(pair: Pair, { deployments }: LedgerState): readonly DeploymentRow[] {
  return deployments
    .filter((row) => isOf(pair)(row) && row.startedAt !== null && row.finishedAt !== null)
    .toSorted((one, other) => Number(one.finishedAt) - Number(other.finishedAt))
    .toReversed()
    .slice(0, REMEMBERED);
}

/** What hosts are caught up for once at most, and without a migration. */
export function untrueCatchUps({ deployments, runs }: LedgerState): readonly string[] {
  const seen = new Set<string>();
  return deployments.filter(isCatchUp).flatMap(({ id, originId, plan }) => {
    const again = (plan?.hosts ?? []).filter(({ host }) => {
      const key = `${originId} ${host}`;
      return seen.has(key) || !seen.add(key);
    });
    const migrates = runs.some(({ deploymentId, phase }) => deploymentId === id && phase === 'migrate');
    return [
      ...again.map(({ host }) => `${host} is caught up by ${id} for ${originId}, and was before`),
      ...(migrates ? [`${id} only catches hosts up, and migrates`] : []),
    ];
  });
}

/** Of the last deployment that went live: no more hosts failed than might, and who was taken back has what it had before. */
export function untrueTakenBack(
  cluster: Cluster,
  pair: Pair,
  last: DeploymentRow,
  runs: readonly RunRow[],
): readonly string[] {
  const failed = failedHosts(last);
  const most = last.plan?.maxFailures ?? 0;
  const tooMany =
    failed.length > most ? [`${last.id} went live, though ${failed.join(', ')} failed and ${most} may`] : [];
  const back = runs.filter(
    ({ deploymentId, phase, status, host }) =>
      deploymentId === last.id &&
      phase === 'undo' &&
      status === 'succeeded' &&
      exceptedHosts(last).includes(host),
  );
  const elsewhere = back.filter(({ host }) => liveOn(cluster, host, pair) !== previousOf(last, host, runs));
  return [
    ...tooMany,
    ...elsewhere.map(({ host }) => `${last.id} took ${host} back, which has ${liveOn(cluster, host, pair)}`),
  ];
}

/** On which a deployment need not be live though it went live: somebody skipped them, or as many as may failed. */
export function exceptedHosts(deployment: DeploymentRow): readonly string[] {
  const skipped = deployment.answers.filter(({ act }) => act === 'skip').map(({ host }) => host);
  return [...skipped, ...failedHosts(deployment)];
}

function failedHosts({ status, reason }: DeploymentRow): readonly string[] {
  if (status !== 'failed') return [];
  return [...new Set((reason?.facts['failed'] ?? '').split(' ').filter((host) => host !== ''))];
}

/** What the first look found: a second attempt finds what the first one left. */
function previousOf({ id }: DeploymentRow, host: string, runs: readonly RunRow[]): string {
  const looks = runs.filter((run) => run.deploymentId === id && run.host === host && run.phase === 'prepare');
  return looks.find(({ previousRelease }) => previousRelease !== null)?.previousRelease ?? '';
}

function liveOn(cluster: Cluster, name: string, pair: Pair): string {
  return cluster.hosts.find((host) => host.name === name)?.installed(pair).live ?? '';
}

function isOf({ fraise, environment }: Pair): (row: Pair) => boolean {
  return (row) => row.fraise === fraise && row.environment === environment;
}
