import type { Decision, RunStart, Situation } from './decide.js';
import { waitFor } from './decide-phase.js';
import type { RunRow } from './ledger/run.js';
import { reason } from './reason.js';
import { endedBadly, isConnected, isOpen, isToRedo, undoOf, type LatestRuns } from './runs-of-deployment.js';

/** How long a host that is away may take to come back and be taken back, once nothing else is left to do. */
const PATIENCE_MS = 60_000;

/** Where a release failed that the rollout goes on without: the host goes back by itself, at once. Nothing on a rollback. */
export function takeBack({ deployment }: Situation, latest: LatestRuns): readonly RunStart[] {
  if (deployment.kind === 'rollback') return [];
  return latest
    .dispatched('release')
    .filter((run) => endedBadly(run) && !isToRedo(deployment, run) && undoOf(latest, run) === undefined)
    .map(({ host, attempt }) => ({ host, phase: 'undo' as const, attempt }));
}

/** Every host that was to be taken back is, or cannot be; null: there is none to wait for. */
export function settleUndos(situation: Situation, latest: LatestRuns): Decision | null {
  const open = latest.inPhase('undo').filter(isOpen);
  if (open.length === 0) return null;
  const over = open.filter((run) => isOver(situation, run));
  if (over.length === 0) return waitFor(open);
  return { drop: over.map((run) => ({ run, to: 'skipped' as const, reason: stayedAway(run) })) };
}

function isOver(situation: Situation, { status, host, createdAt }: RunRow): boolean {
  if (status !== 'pending' || situation.isGathering === true || isConnected(situation, host)) return false;
  return situation.now.getTime() >= createdAt.getTime() + PATIENCE_MS;
}

function stayedAway({ host }: RunRow) {
  return reason('host_lost', `${host} did not come back to be undone`, { facts: { host } });
}
