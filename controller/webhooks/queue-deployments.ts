import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import type { Pair } from '../deployments/ledger/deployment.js';
import type { RouteTarget } from './ask-environments.js';
import { judgePaths, waitingFor, type Doubt } from './doubts.js';
import { joinLine, type PushToQueue } from './join-line.js';
import type { Line } from './place-push.js';
import { writeQueued, type JoinedPush } from './write-queued.js';

export interface Queued {
  /** In the order of the targets. */
  readonly deployments: readonly string[];
  /** What is to be said of them, and of targets that were left out. */
  readonly remarks: readonly Reason[];
  /** Targets that wait for the answer of an agent; unless there are none, the delivery is now `pending`. */
  readonly doubts: readonly Doubt[];
}

/**
 * Queues, for each of these pushes in their order, one deployment of its commit for each target of which nothing is in
 * doubt, and ends older queued pushes for the same target as `superseded`; one that is told late, after a newer push, is
 * itself superseded at once. Needs a transaction, which holds the fraises afterwards; the number of statements does not
 * grow with the pushes. The answers are in their order.
 */
export async function queueDeployments(
  tx: Ledger,
  newId: Edges['newId'],
  pushes: readonly PushToQueue[],
): Promise<readonly Queued[]> {
  const lines = await holdLines(tx, pushes);
  const joined: JoinedPush[] = [];
  const queued = pushes.map((push) => queuePush({ lines, joined, newId }, push));
  await writeQueued(tx, joined);
  for (const [index, { doubts }] of queued.entries())
    await postpone(tx, (pushes[index] as PushToQueue).delivery, doubts);
  return queued;
}

/** The queues by their environments, of all targets that nothing keeps from being queued. */
async function holdLines(tx: Ledger, pushes: readonly PushToQueue[]): Promise<Map<string, Line>> {
  const pairs = new Map<string, Pair>();
  for (const { targets, answers } of pushes) {
    for (const target of targets) {
      const { fraise, environment } = target;
      const paths = judgePaths(target, answers);
      if ('deploy' in paths && paths.deploy) pairs.set(lineKey(target), { fraise, environment });
    }
  }
  const held = pairs.size === 0 ? [] : await tx.holdQueues([...pairs.values()]);
  return new Map(held.map((queue) => [lineKey(queue), queue]));
}

interface Queueing {
  readonly lines: Map<string, Line>;
  readonly joined: JoinedPush[];
  readonly newId: Edges['newId'];
}

/** Adds to `lines` and `joined` what it changes. */
function queuePush(queueing: Queueing, push: PushToQueue): Queued {
  const deployments: string[] = [];
  const remarks: Reason[] = [];
  const doubts: Doubt[] = [];
  for (const target of push.targets) {
    const id = queueing.newId('d');
    const one = queueOne(queueing, push, target, id);
    if ('doubt' in one) doubts.push(one.doubt);
    else {
      remarks.push(...one.remarks);
      if (one.queued) deployments.push(id);
    }
  }
  return { deployments, remarks, doubts };
}

type One = { readonly queued: boolean; readonly remarks: readonly Reason[] } | { readonly doubt: Doubt };

function queueOne({ lines, joined }: Queueing, push: PushToQueue, target: RouteTarget, id: string): One {
  const paths = judgePaths(target, push.answers);
  if ('doubt' in paths) return paths;
  if (!paths.deploy) return { queued: false, remarks: [paths.remark] };
  const one = joinLine(lines.get(lineKey(target)) as Line, push, target, id);
  if ('doubt' in one) return one;
  lines.set(lineKey(target), one.line);
  joined.push({ delivery: push.delivery, sender: target.event.sender, joined: one });
  return { queued: true, remarks: [paths.remark, one.remark].filter((remark) => remark !== null) };
}

/** Whoever asks agents hears of it when this is committed. */
async function postpone(tx: Ledger, { id, verdict }: DeliveryRow, doubts: readonly Doubt[]): Promise<void> {
  const [first, ...others] = doubts;
  if (first === undefined) return;
  await tx.moveDelivery(id, verdict, 'pending', waitingFor([first, ...others]));
  await tx.wake({ about: 'delivery', id });
}

function lineKey({ fraise, environment }: Pair): string {
  return `${fraise}/${environment}`;
}
