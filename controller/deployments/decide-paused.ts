import type { Decision, Situation } from './decide.js';
import { forwardPhases, isGoingBack, stopRollback } from './decide-rollback.js';
import { somethingTouched } from './decide-stop.js';
import { causeOf } from './decide-trouble.js';
import { cancelledBy } from './reason.js';
import { endedBadly, type LatestRuns } from './runs-of-deployment.js';

/** A paused deployment: waits for `continue` or `cancel`, and then does what was asked. */
export function pausedUntilContinued(situation: Situation, latest: LatestRuns): Decision {
  const { deployment } = situation;
  const undoing = isGoingBack(deployment, latest.all);
  if (deployment.continueRequestedBy !== null) {
    const phases = forwardPhases(deployment);
    const again = latest.all.filter(endedBadly).filter((run) => phases.includes(run.phase) !== undoing);
    return {
      move: { to: undoing ? 'rolling_back' : 'running', reason: undoing ? causeOf(situation, latest) : null },
      start: again.map((run) => ({ host: run.host, phase: run.phase, attempt: run.attempt + 1 })),
    };
  }
  // What is going back already is not turned round again: it would pause again at once, for ever.
  if (deployment.cancelRequestedBy !== null && !undoing) {
    const why = cancelledBy(deployment.cancelRequestedBy);
    if (!somethingTouched(latest)) return { move: { to: 'cancelled', reason: why } };
    if (deployment.kind === 'rollback') return stopRollback(situation, latest, why);
    return { move: { to: 'rolling_back', reason: why } };
  }
  return { wait: { reason: deployment.reason, until: null } };
}
