import type { Decision, Situation } from './decide.js';
import { isDue, startOf, waitFor } from './decide-phase.js';
import { mayTake, someAreAway, tooFewHealthy } from './healthy-hosts.js';
import { reason } from './reason.js';
import { isConnected, isOpen, planOf, type LatestRuns } from './runs-of-deployment.js';
import { inReleaseOrder } from './release-order.js';
import { stop } from './decide-stop.js';

/**
 * Releases on these hosts batch by batch, each after the one before has ended and baked. A batch of which not all may be taken
 * without going below `min_healthy` is made smaller: what is left of it is the next one.
 */
export function releaseByBatch(
  situation: Situation,
  releasing: readonly string[],
  latest: LatestRuns,
): Decision | 'done' {
  const { deployment, now } = situation;
  const hosts = inReleaseOrder(planOf(deployment), latest).filter(({ host }) => releasing.includes(host));
  const batches = [...new Set(hosts.map(({ batch }) => batch))];
  for (const batch of batches) {
    const members = hosts.filter((host) => host.batch === batch).map(({ host }) => host);
    const open = underWay(situation, latest).filter(({ host }) => members.includes(host));
    if (open.length > 0) return waitFor(open);
    const due = members.filter((host) => isDue(situation, latest.of(host, 'release')));
    if (due.length === 0) continue;
    const bakedAt = bakedFrom(latest) + planOf(deployment).bakeMs;
    if (now.getTime() >= bakedAt) return take(situation, due, latest);
    const message = `batch ${batch + 1} of ${batches.length} waits until the one before has baked`;
    return { wait: { reason: reason('waiting_for_host', message), until: new Date(bakedAt) } };
  }
  return 'done';
}

/** Null: at least one of the hosts that come first may be taken. Asked before the database is touched. */
export function blocked(
  situation: Situation,
  releasing: readonly string[],
  latest: LatestRuns,
): Decision | null {
  const first = inReleaseOrder(planOf(situation.deployment), latest)
    .map(({ host }) => host)
    .filter((host) => releasing.includes(host));
  return mayGoOn(situation, first, latest) ? null : wait(situation, first, latest);
}

function take(situation: Situation, due: readonly string[], latest: LatestRuns): Decision {
  const taken = mayTake(situation, latest, due);
  if (taken.length > 0) return { start: taken.map((host) => startOf(host, 'release', latest)) };
  // Who goes back is never refused: host by host, then.
  if (mayGoOn(situation, due, latest)) return { start: [startOf(due[0] as string, 'release', latest)] };
  return wait(situation, due, latest);
}

function mayGoOn(situation: Situation, hosts: readonly string[], latest: LatestRuns): boolean {
  return situation.deployment.kind === 'rollback' || mayTake(situation, latest, hosts).length > 0;
}

/** For a host that is away, as long as the deployment may last; nothing else would change it. */
function wait(situation: Situation, due: readonly string[], latest: LatestRuns): Decision {
  const why = tooFewHealthy(situation, latest, due);
  return someAreAway(situation) ? { wait: { reason: why, until: null } } : stop(situation, latest, why);
}

/** A host that is away is not waited for to be taken back. */
function underWay(situation: Situation, latest: LatestRuns) {
  const undos = latest
    .inPhase('undo')
    .filter(({ status, host }) => status !== 'pending' || isConnected(situation, host));
  return [...latest.inPhase('release'), ...undos].filter(isOpen);
}

function bakedFrom(latest: LatestRuns): number {
  return Math.max(0, ...latest.inPhase('release').map(({ finishedAt }) => Number(finishedAt)));
}
