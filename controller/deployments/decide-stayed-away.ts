import type { Decision, Situation } from './decide.js';
import { goneAt } from './decide-lost.js';
import { failures, isTolerated } from './failed-hosts.js';
import type { RunRow } from './ledger/run.js';
import { reason } from './reason.js';
import { isConnected, type LatestRuns } from './runs-of-deployment.js';

/**
 * Runs that could not be sent because their host is away: where the rollout may go on without it, it is given up as one that
 * had begun would be. Null: there is none, or it is worth waiting for.
 */
export function leaveAway(situation: Situation, latest: LatestRuns): Decision | null {
  if (situation.isGathering === true) return null;
  const failed = failures(situation.deployment, latest);
  const run = latest.all.find((one) => isNotSent(situation, one) && !wasTouched(one, latest));
  if (run === undefined || !isTolerated(situation, [...failed, run])) return null;
  const since = situation.hosts.find(({ name }) => name === run.host)?.leaseExpiresAt ?? run.createdAt;
  const waitedFrom = Math.max(since.getTime(), run.createdAt.getTime());
  if (situation.now < goneAt(run, new Date(waitedFrom))) return null;
  return { drop: [{ run, to: 'cancelled', reason: stayedAway(run, since) }] };
}

function isNotSent(situation: Situation, { phase, status, host }: RunRow): boolean {
  if (phase !== 'prepare' && phase !== 'release') return false;
  return status === 'pending' && !isConnected(situation, host);
}

/** By an attempt before: then it has to be taken back, and is waited for. */
function wasTouched({ host }: RunRow, latest: LatestRuns): boolean {
  return latest.dispatched('release').some((run) => run.host === host);
}

function stayedAway({ host, phase }: RunRow, since: Date) {
  const message = `${host} has been away since ${since.toISOString()}, and ${phase} could not be sent to it`;
  return reason('host_lost', message, { facts: { host, phase, since: since.toISOString() } });
}
