import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow, RunRow } from './ledger.js';
import { runHasEnded, type RunPhase } from './lifecycle.js';

/** The latest attempt of each host and phase. */
export interface LatestRuns {
  readonly all: readonly RunRow[];
  of(host: string, phase: RunPhase): RunRow | undefined;
  inPhase(phase: RunPhase): readonly RunRow[];
  /** The latest attempt of each host that was dispatched: what may have touched it, whatever was asked for later. */
  dispatched(phase: RunPhase): readonly RunRow[];
}

/** Keeps only the run with the highest attempt of each (host, phase). */
export function latestRuns(runs: readonly RunRow[]): LatestRuns {
  const byKey = highestAttempts(runs);
  const all = [...byKey.values()];
  const touching = [...highestAttempts(runs.filter(wasDispatched)).values()];
  return {
    all,
    of: (host, phase) => byKey.get(`${phase} ${host}`),
    inPhase: (phase) => all.filter((run) => run.phase === phase),
    dispatched: (phase) => touching.filter((run) => run.phase === phase),
  };
}

function highestAttempts(runs: readonly RunRow[]): ReadonlyMap<string, RunRow> {
  const byKey = new Map<string, RunRow>();
  for (const run of runs) {
    const key = `${run.phase} ${run.host}`;
    if ((byKey.get(key)?.attempt ?? 0) < run.attempt) byKey.set(key, run);
  }
  return byKey;
}

/** Whether it was dispatched and is not over. */
export function isOpen(run: RunRow): boolean {
  return !runHasEnded(run.status);
}

/** Whether it ended otherwise than wanted. */
export function endedBadly(run: RunRow): boolean {
  return runHasEnded(run.status) && run.status !== 'succeeded' && run.status !== 'skipped';
}

/** Whether the host may have been touched by it. */
function wasDispatched(run: RunRow): boolean {
  return run.dispatchedAt !== null;
}

/** The plan of a started deployment; a started one without a plan cannot be. */
export function planOf(deployment: DeploymentRow): DeploymentPlan {
  if (deployment.plan === null)
    throw new Error(`deployment ${deployment.id} is ${deployment.status} without a plan`);
  return deployment.plan;
}

/**
 * When the whole deployment has had its time: `timeout` after it started, or after it was last continued
 * (only `continue` makes second attempts).
 */
export function deadlineOf(deployment: DeploymentRow, runs: readonly RunRow[]): Date {
  const since = runs.filter((run) => run.attempt > 1).map((run) => run.createdAt.getTime());
  const started = deployment.startedAt?.getTime() ?? deployment.createdAt.getTime();
  return new Date(Math.max(started, ...since) + planOf(deployment).timeoutMs);
}
