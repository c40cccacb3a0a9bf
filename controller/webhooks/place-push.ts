import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeliveryRow, DeploymentRow, Ledger } from '../deployments/ledger.js';
import type { RouteTarget } from './ask-environments.js';
import { orderKey, orderUnknown, type Answers, type Doubt } from './doubts.js';
import { isPush, orderOf } from './order-pushes.js';

export type Place =
  /** The push that was made after this one, though it was told before it; null: this one is the newest. */
  { readonly newer: DeploymentRow | null; readonly remark: Reason | null } | { readonly doubt: Doubt };

/**
 * Where a push belongs among those for the same target: compared with the newest that waits or runs, otherwise with what is
 * live, if a push made it so. What only the repository can tell is taken from the answers, or is a doubt.
 */
export async function placePush(
  tx: Ledger,
  { delivery, answers }: { readonly delivery: DeliveryRow; readonly answers: Answers },
  target: RouteTarget,
  unfinished: readonly DeploymentRow[],
): Promise<Place> {
  const { fraise, environment } = target;
  const other = unfinished.findLast(isPush) ?? (await tx.lastSucceeded(fraise, environment));
  if (other === null || !isPush(other)) return { newer: null, remark: null };
  const order = orderOf(target.event, other);
  switch (order.is) {
    case 'newer':
      return { newer: null, remark: null };
    case 'older':
      return { newer: other, remark: null };
    case 'as_received':
      return { newer: await receivedLater(tx, other, delivery), remark: null };
    case 'must_ask_repository': {
      const told = answers.order.get(orderKey(order.question));
      if (told === undefined) return { doubt: { about: 'order', target, question: order.question } };
      const remark = 'unknown' in told ? orderUnknown(target, other.id, told.unknown) : null;
      const isOlder = 'older' in told && told.older;
      return { newer: isOlder ? other : await receivedLater(tx, other, delivery), remark };
    }
  }
}

/** The other one, when its delivery came in after this: this one waited for an answer meanwhile. */
async function receivedLater(
  tx: Ledger,
  other: DeploymentRow,
  { receivedAt }: DeliveryRow,
): Promise<DeploymentRow | null> {
  const theirs = other.webhookId === null ? null : await tx.receivedAt(other.webhookId);
  return theirs !== null && theirs > receivedAt ? other : null;
}
