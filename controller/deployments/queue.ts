import type { QueuedDeployment } from '../../proto/gen/fraisier/v1/control.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { LockRow } from './ledger/lock.js';

/** As many of the last deployments say how long one takes. */
export const MEASURED = 20;

/** Unfinished deployments of one environment in the order in which they are carried out: a rollback goes ahead of the queue. */
export function inOrder(unfinished: readonly DeploymentRow[]): readonly DeploymentRow[] {
  return unfinished.toSorted((one, other) => rank(one) - rank(other));
}

function rank({ status, kind }: DeploymentRow): number {
  if (status !== 'queued') return 0;
  return kind === 'rollback' ? 1 : 2;
}

export interface QueueNow {
  readonly unfinished: readonly DeploymentRow[];
  readonly lock: LockRow | null;
  /** Those that have ended lately, of the same environment. */
  readonly ended: readonly DeploymentRow[];
  readonly now: Date;
}

/**
 * What waits, in the order in which it will start, each with its reason and how long it will still wait by the median of
 * the deployments that succeeded. Nobody can say that of what waits for a person or for a host. Pure.
 */
export function queueOf({ unfinished, lock, ended, now }: QueueNow): readonly QueuedDeployment[] {
  const active = unfinished.find((one) => one.status !== 'queued') ?? null;
  const typicalMs = median(ended.flatMap(durationMs));
  const first = firstWaitMs(active, typicalMs, now);
  return inOrder(unfinished.filter((one) => one.status === 'queued')).map((one, index) => {
    const held = (lock !== null && one.kind !== 'rollback') || one.reason?.code === 'agent_away';
    return {
      deploymentId: one.id,
      position: index + 1,
      reason: one.reason ?? undefined,
      expectedWaitMs: held ? undefined : waitMs(first, index, typicalMs),
    };
  });
}

/** Until the first of the queue starts; undefined when that is a person's to say. */
function firstWaitMs(
  active: DeploymentRow | null,
  typicalMs: number | undefined,
  now: Date,
): number | undefined {
  if (active === null) return 0;
  if (active.status !== 'running' || active.startedAt === null || typicalMs === undefined) return undefined;
  return Math.max(0, typicalMs - (now.getTime() - active.startedAt.getTime()));
}

function waitMs(first: number | undefined, ahead: number, typicalMs: number | undefined): number | undefined {
  if (first === undefined) return undefined;
  if (ahead === 0) return first;
  return typicalMs === undefined ? undefined : first + ahead * typicalMs;
}

function durationMs({ status, startedAt, finishedAt }: DeploymentRow): number[] {
  if (status !== 'succeeded' || startedAt === null || finishedAt === null) return [];
  return [finishedAt.getTime() - startedAt.getTime()];
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}
