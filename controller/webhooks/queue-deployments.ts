import { reason } from '../../proto/error-codes.js';
import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow, DeploymentRow, Ledger } from '../deployments/ledger.js';
import type { Deployable } from './push-event.js';
import type { RouteTarget } from './route.js';

export interface PushToQueue {
  readonly event: Deployable;
  readonly targets: readonly RouteTarget[];
  readonly delivery: DeliveryRow;
  readonly configRevision: number;
}

/**
 * Queues one deployment of the pushed commit for each target, and ends older queued pushes for the same target as
 * `superseded`; one that is told late, after a newer push, is itself superseded at once. Returns the ids, in the order
 * of the targets. Needs a transaction, which holds the fraises afterwards.
 */
export async function queueDeployments(
  tx: Ledger,
  newId: Edges['newId'],
  push: PushToQueue,
): Promise<string[]> {
  const ids = new Map(push.targets.map((target) => [target, newId('d')]));
  // In one order for everybody, so that two pushes to the same fraises cannot wait for each other.
  for (const target of push.targets.toSorted(byName))
    await queueOne(tx, push, target, ids.get(target) as string);
  return [...ids.values()];
}

async function queueOne(tx: Ledger, push: PushToQueue, target: RouteTarget, id: string): Promise<void> {
  const { fraise, environment } = target;
  await tx.holdFraise(fraise, environment);
  const unfinished = await tx.unfinishedDeployments({ fraise, environment });
  const newer = await newerPush(tx, push, unfinished, target);
  const inserted = await insert(tx, push, target, id);
  const superseded = newer === undefined ? unfinished.filter(isQueuedPush) : [];
  for (const older of superseded) await supersede(tx, older, inserted);
  if (newer !== undefined) await supersede(tx, inserted, newer);
  await tx.audit({
    actor: `webhook:${push.delivery.provider}`,
    action: 'deployment_requested',
    subject: id,
    facts: {
      fraise,
      environment,
      commit: push.event.commit,
      webhook: push.delivery.id,
      sender: push.event.sender,
      ...(superseded.length > 0 && { supersedes: superseded.map((one) => one.id).join(' ') }),
    },
  });
  await tx.wake({ about: 'deployment', id });
}

function insert(tx: Ledger, push: PushToQueue, target: RouteTarget, id: string): Promise<DeploymentRow> {
  const { event, delivery } = push;
  return tx.insertDeployment({
    id,
    fraise: target.fraise,
    environment: target.environment,
    kind: 'deploy',
    commit: event.commit,
    ref: event.kind === 'push' ? event.branch : event.tag,
    configRevision: push.configRevision,
    trigger: 'webhook',
    requestedBy: `webhook:${delivery.provider}`,
    webhookId: delivery.id,
    requestId: null,
    originId: null,
    force: false,
    onlyHosts: [],
    pushedAt: earlier(event.pushedAt, delivery.receivedAt),
  });
}

/** A push of the whole environment that waits; manual and partial ones are nobody's to supersede. */
function isQueuedPush(deployment: DeploymentRow): boolean {
  return (
    deployment.status === 'queued' &&
    deployment.kind === 'deploy' &&
    deployment.trigger === 'webhook' &&
    deployment.onlyHosts.length === 0
  );
}

/** A push to this target that was made after this one but told before it: going back to the older would be wrong. */
async function newerPush(
  tx: Ledger,
  { event }: PushToQueue,
  unfinished: readonly DeploymentRow[],
  { fraise, environment }: RouteTarget,
): Promise<DeploymentRow | undefined> {
  const pushedAt = event.pushedAt;
  if (pushedAt === null) return undefined;
  const isNewer = (one: DeploymentRow): boolean =>
    one.trigger === 'webhook' &&
    one.onlyHosts.length === 0 &&
    one.pushedAt !== null &&
    seconds(one.pushedAt) > seconds(pushedAt);
  const waiting = unfinished.findLast(isNewer);
  if (waiting !== undefined) return waiting;
  const live = await tx.lastSucceeded(fraise, environment);
  return live !== null && isNewer(live) ? live : undefined;
}

async function supersede(tx: Ledger, older: DeploymentRow, newer: DeploymentRow): Promise<void> {
  const why = reason('superseded', `superseded by ${newer.id}, a newer push: ${newer.commit.slice(0, 12)}`, {
    hint: `fraisier show ${newer.id}`,
    facts: { by: newer.id, commit: newer.commit },
  });
  await tx.moveDeployment(older.id, 'queued', 'superseded', { reason: why, finished: true });
  await tx.wake({ about: 'deployment', id: older.id });
}

/** The git host's clock may run ahead of ours: nothing was pushed after it was received. */
function earlier(pushedAt: Date | null, receivedAt: Date): Date {
  return pushedAt !== null && pushedAt < receivedAt ? pushedAt : receivedAt;
}

/** Git hosts tell whole seconds. */
function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function byName(one: RouteTarget, other: RouteTarget): number {
  const [left, right] = [one, other].map((target) => `${target.fraise}/${target.environment}`) as [
    string,
    string,
  ];
  return Number(left > right) - Number(left < right);
}
