import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import type { Situation } from './decide.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
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

/** Whether it ended badly before somebody said `continue`, and not `skip`: then it is to be done again, and is no failure any more. */
export function isToRedo(
  { continuedAt, answers }: Pick<DeploymentRow, 'continuedAt' | 'answers'>,
  run: RunRow,
): boolean {
  if (!endedBadly(run) || skippedHosts({ answers }).includes(run.host)) return false;
  return continuedAt !== null && run.finishedAt !== null && run.finishedAt <= continuedAt;
}

/** The way back from this release on its host; of every attempt there is one of the same number. */
export function undoOf(latest: LatestRuns, release: RunRow): RunRow | undefined {
  const undo = latest.of(release.host, 'undo');
  return undo !== undefined && undo.attempt >= release.attempt ? undo : undefined;
}

/** The release that was live on a host before; '' when none was, or nobody has looked. */
export function previousOf(latest: LatestRuns, host: string): string {
  return latest.of(host, 'prepare')?.previousRelease ?? '';
}

/** Whether that did not answer as a healthy release does. */
export function wasUnhealthy(latest: LatestRuns, host: string): boolean {
  return latest.of(host, 'prepare')?.unhealthy === true;
}

/** Hosts that somebody took out of a paused deployment. */
export function skippedHosts({ answers }: Pick<DeploymentRow, 'answers'>): readonly string[] {
  return answers.filter(({ act }) => act === 'skip').map(({ host }) => host);
}

/** Whether the agent's connection is valid at the moment of the situation. */
export function isConnected({ hosts, now }: Situation, name: string): boolean {
  return hosts.some(
    (host) => host.name === name && host.leaseExpiresAt !== null && host.leaseExpiresAt > now,
  );
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

/** The hosts of a plan, in the order of release. */
export function hostsOf({ hosts }: DeploymentPlan): readonly string[] {
  return hosts.map((one) => one.host);
}

/**
 * Those that have something to do. A host that said it is settled is not touched again; one that migrates then prepares a
 * second time, without being asked, because only the whole of `prepare` measures the database.
 */
export function unsettledHosts({ deployment, runs }: Situation): readonly string[] {
  const settled = runs.filter((run) => run.phase === 'prepare' && run.settled).map((run) => run.host);
  return hostsOf(planOf(deployment)).filter((host) => !settled.includes(host));
}

/** When the whole deployment has had its time: `timeout` after it started, or after it was last continued. */
export function deadlineOf(deployment: DeploymentRow): Date {
  const since = deployment.continuedAt ?? deployment.startedAt ?? deployment.createdAt;
  return new Date(since.getTime() + planOf(deployment).timeoutMs);
}
