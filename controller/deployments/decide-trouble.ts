import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Situation } from './decide.js';
import { forwardPhases, hasWayDown } from './decide-rollback.js';
import type { DeploymentRow, RunRow } from './ledger.js';
import type { RunPhase } from './lifecycle.js';
import { cancelledBy, failureOf, reason } from './reason.js';
import { endedBadly, planOf, unsettledHosts, type LatestRuns } from './runs-of-deployment.js';

/** Why a running deployment does not go on, the first reason first; null: it does. */
export function troubleOf(situation: Situation, latest: LatestRuns, deadline: Date): Reason | null {
  const { deployment, now } = situation;
  if (deployment.reason !== null) return deployment.reason;
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const failed = firstFailure(deployment, latest);
  if (failed !== null) return failureOf(failed);
  if (now < deadline || isLive(situation, latest)) return null;
  const limit = planOf(deployment).timeoutMs;
  return reason('deployment_timed_out', `not done within its limit of ${limit / 1000} s`, {
    facts: { timeout_ms: String(limit) },
  });
}

/** Why a paused undo is under way: its own reason was overwritten by that of the pause. */
export function causeOf({ deployment }: Situation, latest: LatestRuns): Reason {
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const first = firstFailure(deployment, latest);
  return first === null ? reason('run_failed', 'the deployment was stopped') : failureOf(first);
}

function firstFailure(deployment: DeploymentRow, latest: LatestRuns): RunRow | null {
  const phases = forwardPhases(deployment);
  const bad = latest.all.filter((run) => phases.includes(run.phase) && endedBadly(run));
  return bad.sort((a, b) => Number(a.finishedAt) - Number(b.finishedAt))[0] ?? null;
}

/** Only pruning is left: every host has the release and, of a rollback, the database is down. */
function isLive(situation: Situation, latest: LatestRuns): boolean {
  const { migratingHost } = planOf(situation.deployment);
  const hasSucceeded = (host: string, phase: RunPhase) => latest.of(host, phase)?.status === 'succeeded';
  return (
    unsettledHosts(situation).every((host) => hasSucceeded(host, 'release')) &&
    (!hasWayDown(situation) || hasSucceeded(migratingHost, 'migrate_down'))
  );
}
