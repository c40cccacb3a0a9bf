import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import { stopRollback } from './decide-rollback.js';
import type { RunRow } from './ledger/run.js';
import { settleUndos } from './decide-taken-back.js';
import { wayDownSent } from './migration-record.js';
import { failureOf } from './reason.js';
import { waysOn } from './unanswered.js';
import { isOpen, planOf, type LatestRuns } from './runs-of-deployment.js';

/** Stops what is open and waits for it; then the deployment is turned round, or ends. A host on its way back is not stopped. */
export function stop(situation: Situation, latest: LatestRuns, trouble: Reason): Decision {
  const { deployment } = situation;
  const open = latest.all.filter((run) => isOpen(run) && run.phase !== 'undo');
  if (open.length > 0) {
    const stopping = stopOpen(open, trouble);
    return deployment.reason === null ? { ...stopping, move: { to: 'running', reason: trouble } } : stopping;
  }
  return turnRound(situation, latest, trouble);
}

/** What was not sent is dropped, what was sent is told to stop, once. */
export function stopOpen(open: readonly RunRow[], why: Reason): Decision {
  const pending = open.filter((run) => run.status === 'pending');
  const toTell = open.filter((run) => run.status !== 'pending' && run.cancelReason === null);
  return {
    drop: pending.map((run) => ({ run, to: 'cancelled' as const, reason: why })),
    cancel: toTell.map((run) => ({ run, reason: why })),
    wait: { reason: why, until: null },
  };
}

/** Nothing is open any more: where to from here? */
function turnRound(situation: Situation, latest: LatestRuns, cause: Reason): Decision {
  const { deployment } = situation;
  const cancelled = cause.code === 'cancelled';
  const unknown = unknownOutcome(latest);
  if (unknown !== undefined)
    return { move: { to: 'paused', reason: pausedByUnknown(deployment.id, unknown) } };
  if (!somethingTouched(latest)) return { move: { to: cancelled ? 'cancelled' : 'failed', reason: cause } };
  if (deployment.kind === 'rollback') return stopRollback(situation, latest, cause);
  if (cancelled) return { move: { to: 'rolling_back', reason: cause } };
  switch (planOf(deployment).onFailure) {
    case 'pause':
      return { move: { to: 'paused', reason: { ...cause, hint: waysOn(deployment, latest) } } };
    case 'stop':
      return settleUndos(situation, latest) ?? { move: { to: 'failed', reason: cause } };
    default:
      return { move: { to: 'rolling_back', reason: cause } };
  }
}

/** What a migration up that was cancelled has left is seen by the way down; behind a cancelled way down nobody looks. */
function unknownOutcome(latest: LatestRuns): RunRow | undefined {
  const migrations = [...latest.dispatched('migrate'), ...latest.dispatched('migrate_down')];
  const unknown = migrations.find((run) => run.status === 'interrupted' || run.status === 'lost');
  const down = wayDownSent(latest);
  return unknown ?? (down?.status === 'cancelled' ? down : undefined);
}

function pausedByUnknown(id: string, run: RunRow): Reason {
  const why = failureOf(run);
  const done = run.phase === 'migrate' ? 'applied' : 'undone';
  return {
    ...why,
    code: 'outcome_unknown',
    message: `it is not known whether the migration was ${done} (${why.message}): look at the database first`,
    hint: `fraisier continue ${id} (to run it again) or fraisier cancel ${id}`,
  };
}

/** Whether a host or the database may be another than before. */
export function somethingTouched(latest: LatestRuns): boolean {
  return latest.dispatched('migrate').length + latest.dispatched('release').length > 0;
}
