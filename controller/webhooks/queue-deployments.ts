import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow, DeploymentRow, Ledger } from '../deployments/ledger.js';
import { tell } from '../deployments/tell.js';
import type { RouteTarget } from './ask-environments.js';
import { judgePaths, waitingFor, type Answers, type Doubt } from './doubts.js';
import { isPush } from './order-pushes.js';
import { placePush } from './place-push.js';
import { supersede } from './supersede.js';

export interface PushToQueue {
  readonly targets: readonly RouteTarget[];
  readonly delivery: DeliveryRow;
  readonly configRevision: number;
  /** What agents have said so far. */
  readonly answers: Answers;
}

export interface Queued {
  /** In the order of the targets. */
  readonly deployments: readonly string[];
  /** What is to be said of them, and of targets that were left out. */
  readonly remarks: readonly Reason[];
  /** Targets that wait for the answer of an agent; unless there are none, the delivery is now `pending`. */
  readonly doubts: readonly Doubt[];
}

/**
 * Queues one deployment of its commit for each target of which nothing is in doubt, and ends older queued pushes for the
 * same target as `superseded`; one that is told late, after a newer push, is itself superseded at once. Needs a
 * transaction, which holds the fraises afterwards.
 */
export async function queueDeployments(
  tx: Ledger,
  newId: Edges['newId'],
  push: PushToQueue,
): Promise<Queued> {
  const ids = new Map(push.targets.map((target) => [target, newId('d')]));
  const queued = new Set<string>();
  const remarks: Reason[] = [];
  const doubts: Doubt[] = [];
  // In one order for everybody, so that two pushes to the same fraises cannot wait for each other.
  for (const target of push.targets.toSorted(byName)) {
    const id = ids.get(target) as string;
    const one = await queueOne(tx, push, target, id);
    remarks.push(...one.remarks);
    if ('doubt' in one) doubts.push(one.doubt);
    else if (one.queued) queued.add(id);
  }
  await postpone(tx, push.delivery, doubts);
  return { deployments: [...ids.values()].filter((id) => queued.has(id)), remarks, doubts };
}

type One = { readonly remarks: readonly Reason[] } & (
  { readonly queued: boolean } | { readonly doubt: Doubt }
);

async function queueOne(tx: Ledger, push: PushToQueue, target: RouteTarget, id: string): Promise<One> {
  const paths = judgePaths(target, push.answers);
  if ('doubt' in paths) return { doubt: paths.doubt, remarks: [] };
  if (!paths.deploy) return { queued: false, remarks: [paths.remark] };
  const { fraise, environment } = target;
  await tx.holdFraise(fraise, environment);
  const unfinished = await tx.unfinishedDeployments({ fraise, environment });
  const place = await placePush(tx, push, target, unfinished);
  if ('doubt' in place) return { doubt: place.doubt, remarks: [] };
  const inserted = await insert(tx, push, target, id);
  const waiting = unfinished.filter((one) => one.status === 'queued' && isPush(one));
  const superseded = place.newer === null ? waiting : [];
  for (const older of superseded) await supersede(tx, older, inserted);
  if (place.newer !== null) await supersede(tx, inserted, place.newer);
  else await tell(tx, 'deployment_queued', inserted, 'queued');
  await record(tx, push.delivery, target, inserted, superseded);
  const remarks = [paths.remark, place.remark].filter((one) => one !== null);
  return { queued: true, remarks };
}

async function record(
  tx: Ledger,
  delivery: DeliveryRow,
  { event: { sender } }: RouteTarget,
  { id, fraise, environment, commit }: DeploymentRow,
  superseded: readonly DeploymentRow[],
): Promise<void> {
  const supersedes = superseded.map((one) => one.id).join(' ');
  await tx.audit({
    actor: `webhook:${delivery.provider}`,
    action: 'deployment_requested',
    subject: id,
    facts: {
      ...{ fraise, environment, commit, webhook: delivery.id, sender },
      ...(superseded.length > 0 && { supersedes }),
    },
  });
  await tx.wake({ about: 'deployment', id });
}

function insert(tx: Ledger, push: PushToQueue, target: RouteTarget, id: string): Promise<DeploymentRow> {
  const { delivery } = push;
  const { event } = target;
  return tx.insertDeployment({
    id,
    fraise: target.fraise,
    environment: target.environment,
    kind: 'deploy',
    commit: event.commit,
    ref: event.kind === 'push' ? event.branch : event.tag,
    configRevision: push.configRevision,
    trigger: delivery.event === 'missed_push' ? 'missed_push' : 'webhook',
    requestedBy: `webhook:${delivery.provider}`,
    webhookId: delivery.id,
    requestId: null,
    originId: null,
    force: false,
    onlyHosts: [],
    pushedAt: earlier(event.pushedAt, delivery.receivedAt),
    rollback: null,
  });
}

/** Whoever asks agents hears of it when this is committed. */
async function postpone(tx: Ledger, { id, verdict }: DeliveryRow, doubts: readonly Doubt[]): Promise<void> {
  const [first, ...others] = doubts;
  if (first === undefined) return;
  await tx.moveDelivery(id, verdict, 'pending', waitingFor([first, ...others]));
  await tx.wake({ about: 'delivery', id });
}

/** The git host's clock may run ahead of ours: nothing was pushed after it was received. */
function earlier(pushedAt: Date | null, receivedAt: Date): Date {
  return pushedAt !== null && pushedAt < receivedAt ? pushedAt : receivedAt;
}

function byName(one: RouteTarget, other: RouteTarget): number {
  const [left, right] = [one, other].map((target) => `${target.fraise}/${target.environment}`) as [
    string,
    string,
  ];
  return Number(left > right) - Number(left < right);
}
