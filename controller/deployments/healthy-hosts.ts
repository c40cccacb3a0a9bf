import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Situation } from './decide.js';
import { reason } from './reason.js';
import {
  hostsOf,
  isConnected,
  planOf,
  previousOf,
  undoOf,
  wasUnhealthy,
  type LatestRuns,
} from './runs-of-deployment.js';

/** The hosts of the environment that count as healthy: nothing is known against them, and their agent is connected. */
export function healthyHosts(situation: Situation, latest: LatestRuns): readonly string[] {
  const plan = planOf(situation.deployment);
  const own = hostsOf(plan).filter((host) => isHealthy(host, latest));
  return [...own, ...plan.beside].filter((host) => isConnected(situation, host));
}

/** By its release, or the way back from it; before, by what `prepare` found. Asked when nothing is in hand that was not sent. */
function isHealthy(host: string, latest: LatestRuns): boolean {
  const hadRelease = previousOf(latest, host) !== '';
  const release = latest.dispatched('release').find((run) => run.host === host);
  if (release === undefined) return hadRelease && !wasUnhealthy(latest, host);
  const undo = undoOf(latest, release);
  if (undo !== undefined) return undo.status === 'succeeded' && hadRelease;
  return release.status === 'succeeded';
}

/**
 * Those of the candidates that may be taken now, in their order: as many as leave `min_healthy` hosts healthy. What is known not to be
 * healthy may always be taken.
 */
export function mayTake(
  situation: Situation,
  latest: LatestRuns,
  candidates: readonly string[],
): readonly string[] {
  const { minHealthy } = planOf(situation.deployment);
  if (minHealthy === 0) return candidates;
  const healthy = healthyHosts(situation, latest);
  let left = healthy.length;
  return candidates.filter((host) => {
    if (!isHealthy(host, latest)) return true;
    // One that is away counts for nothing, and may be healthy all the same.
    const after = healthy.includes(host) ? left - 1 : left;
    if (after < minHealthy) return false;
    left = after;
    return true;
  });
}

/** Why none may be taken, with the hosts that are not healthy. */
export function tooFewHealthy(
  situation: Situation,
  latest: LatestRuns,
  candidates: readonly string[],
): Reason {
  const plan = planOf(situation.deployment);
  const fleet = [...hostsOf(plan), ...plan.beside];
  const healthy = healthyHosts(situation, latest);
  const ill = fleet.filter((host) => !healthy.includes(host));
  const not = ill.length === 0 ? '' : ` (not: ${ill.join(', ')})`;
  const said = `${healthy.length} of ${fleet.length} hosts are healthy${not} and min_healthy is ${plan.minHealthy}`;
  const { fraise, environment } = situation.deployment;
  return reason('too_few_healthy', `${candidates.join(', ')} cannot be released: ${said}`, {
    hint: `fraisier status ${fraise} ${environment}`,
    facts: {
      healthy: String(healthy.length),
      min_healthy: String(plan.minHealthy),
      unhealthy: ill.join(' '),
    },
  });
}

/** Whether somebody who is away may be healthy when back: then it is worth waiting. */
export function someAreAway(situation: Situation): boolean {
  const plan = planOf(situation.deployment);
  return [...hostsOf(plan), ...plan.beside].some((host) => !isConnected(situation, host));
}
