import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import { forwardPhases, isGoingBack, stopRollback } from './decide-rollback.js';
import { somethingTouched } from './decide-stop.js';
import { causeOf } from './decide-trouble.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { cancelledBy, reason } from './reason.js';
import { unansweredHosts, waysOn } from './unanswered.js';
import { endedBadly, type LatestRuns } from './runs-of-deployment.js';

/** A paused deployment: waits for `continue` or `cancel`, and then does what was asked. */
export function pausedUntilContinued(situation: Situation, latest: LatestRuns): Decision {
  const { deployment } = situation;
  const undoing = isGoingBack(deployment, latest.all);
  if (deployment.continueRequestedBy !== null) {
    if (!undoing) return { move: { to: 'running', reason: null } };
    const phases = forwardPhases(deployment);
    const again = latest.all.filter(endedBadly).filter((run) => !phases.includes(run.phase));
    return {
      move: { to: 'rolling_back', reason: causeOf(situation, latest) },
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
  return { wait: { reason: undoing ? deployment.reason : waitsFor(deployment, latest), until: null } };
}

/** Its own reason, until some of several hosts are answered for: then the rest of them. */
function waitsFor(deployment: DeploymentRow, latest: LatestRuns): Reason | null {
  const hosts = unansweredHosts(deployment, latest);
  if (deployment.answers.length === 0 || hosts.length === 0) return deployment.reason;
  const message = `it goes on when somebody has said what becomes of ${hosts.join(', ')}`;
  return reason('paused', message, {
    hint: waysOn(deployment, latest),
    facts: { hosts: hosts.join(' ') },
  });
}
