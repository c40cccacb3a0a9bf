import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import type { NewDeployment } from '../deployments/ledger/deployment.js';
import type { RouteTarget } from './ask-environments.js';
import type { Answers, Doubt } from './doubts.js';
import { isPush } from './order-pushes.js';
import { placePush, type Line, type Waiting } from './place-push.js';

export interface PushToQueue {
  readonly targets: readonly RouteTarget[];
  readonly delivery: DeliveryRow;
  /** When it counts as received: a replay when the delivery was that it is of. */
  readonly receivedAt: Date;
  readonly configRevision: number;
  /** What agents have said so far. */
  readonly answers: Answers;
}

/** A push that has its place in the queue of one of its targets. */
export interface InLine {
  /** The queue as it is afterwards. */
  readonly line: Line;
  readonly deployment: NewDeployment;
  /** What superseded it at once; null: it waits. */
  readonly newer: NewDeployment | null;
  /** The queued pushes that it supersedes. */
  readonly superseded: readonly NewDeployment[];
  readonly remark: Reason | null;
}

/**
 * A push joins the queue of one of its targets, as the deployment `id`: older queued pushes end as `superseded`, and so does
 * it at once when a newer one was told before it. Pure.
 */
export function joinLine(
  line: Line,
  push: PushToQueue,
  target: RouteTarget,
  id: string,
): InLine | { readonly doubt: Doubt } {
  const place = placePush(line, push, target);
  if ('doubt' in place) return place;
  const { newer, remark } = place;
  const deployment = deploymentOf(push, target, id);
  if (newer !== null) return { line, deployment, newer, superseded: [], remark };
  const isOlder = ({ deployment: one }: Waiting): boolean => one.status === 'queued' && isPush(one);
  const staying = line.unfinished.filter((one) => !isOlder(one));
  const mine: Waiting = { deployment: { ...deployment, status: 'queued' }, receivedAt: push.receivedAt };
  return {
    line: { ...line, unfinished: [...staying, mine] },
    deployment,
    newer,
    superseded: line.unfinished.filter(isOlder).map((one) => one.deployment),
    remark,
  };
}

function deploymentOf(
  push: PushToQueue,
  { fraise, environment, event }: RouteTarget,
  id: string,
): NewDeployment {
  const { delivery, receivedAt } = push;
  return {
    id,
    fraise,
    environment,
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
    pushedAt: earlier(event.pushedAt, receivedAt),
    rollback: null,
  };
}

/** The git host's clock may run ahead of ours: nothing was pushed after it was received. */
function earlier(pushedAt: Date | null, receivedAt: Date): Date {
  return pushedAt !== null && pushedAt < receivedAt ? pushedAt : receivedAt;
}
