import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Situation } from './decide.js';
import { hasWayDown } from './decide-rollback.js';
import { failures, isTolerated, tooManyFailed } from './failed-hosts.js';
import type { RunRow } from './ledger/run.js';
import type { RunPhase } from './lifecycle.js';
import { cancelledBy, failureOf, reason } from './reason.js';
import { isOpen, planOf, skippedHosts, unsettledHosts, type LatestRuns } from './runs-of-deployment.js';

/** Why a running deployment does not go on, the first reason first; null: it does. */
export function troubleOf(situation: Situation, latest: LatestRuns, deadline: Date): Reason | null {
  const { deployment, now } = situation;
  if (deployment.reason !== null) return deployment.reason;
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const { timeoutMs, maxFailures } = planOf(deployment);
  const failed = failures(deployment, latest);
  if (!isTolerated(situation, failed))
    return tooManyFailed(failed as readonly [RunRow, ...RunRow[]], maxFailures);
  const stalled = now >= deadline ? timedOut(timeoutMs) : noProgress(situation, latest);
  if (stalled === null || mayHaveGotFurther(situation, latest)) return null;
  return isLive(situation, latest, failed) ? null : stalled;
}

/** What hosts did while nobody listened is heard before a clock is believed. */
function mayHaveGotFurther({ isGathering }: Situation, latest: LatestRuns): boolean {
  return isGathering === true && latest.all.some((run) => isOpen(run) && run.status !== 'pending');
}

function timedOut(limitMs: number): Reason {
  return reason('deployment_timed_out', `not done within its limit of ${limitMs / 1000} s`, {
    facts: { timeout_ms: String(limitMs) },
  });
}

/** Counted from the last run that succeeded; the time that a batch bakes is none in which anything could. */
function noProgress({ deployment, now }: Situation, latest: LatestRuns): Reason | null {
  const { progressMs, bakeMs } = planOf(deployment);
  if (progressMs === 0) return null;
  const began = deployment.continuedAt ?? deployment.startedAt ?? deployment.createdAt;
  const ends = latest.all.filter(({ status }) => status === 'succeeded').map((run) => Number(run.finishedAt));
  const last = Math.max(began.getTime(), ...ends);
  if (now.getTime() < last + bakeMs + progressMs) return null;
  const since = new Date(last).toISOString();
  const message = `no host got any further for ${progressMs / 1000} s (progress_deadline), since ${since}`;
  return reason('no_progress', message, { facts: { progress_deadline_ms: String(progressMs), since } });
}

/** Why a paused undo is under way: its own reason was overwritten by that of the pause. */
export function causeOf({ deployment }: Situation, latest: LatestRuns): Reason {
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const [first] = failures(deployment, latest);
  return first === undefined ? reason('run_failed', 'the deployment was stopped') : failureOf(first);
}

/** Only pruning is left: every host has the release or was given up and, of a rollback, the database is down. */
function isLive(situation: Situation, latest: LatestRuns, failed: readonly RunRow[]): boolean {
  const { migratingHost } = planOf(situation.deployment);
  const hasSucceeded = (host: string, phase: RunPhase) => latest.of(host, phase)?.status === 'succeeded';
  const out = [...failed.map(({ host }) => host), ...skippedHosts(situation.deployment)];
  return (
    unsettledHosts(situation).every((host) => out.includes(host) || hasSucceeded(host, 'release')) &&
    (!hasWayDown(situation) || hasSucceeded(migratingHost, 'migrate_down'))
  );
}
