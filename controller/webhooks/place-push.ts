import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow, InQueue, NewDeployment } from '../deployments/ledger/deployment.js';
import type { RouteTarget } from './ask-environments.js';
import { orderKey, orderUnknown, type Answers, type Doubt } from './doubts.js';
import { isPush, orderOf } from './order-pushes.js';

/** As `InQueue`, of a deployment that may be about to be stored. */
export interface Waiting extends Pick<InQueue, 'receivedAt'> {
  readonly deployment: NewDeployment & Pick<DeploymentRow, 'status'>;
}

/** What a push to an environment is placed by; a queue that is held, and what joined it since. */
export interface Line {
  readonly unfinished: readonly Waiting[];
  readonly live: Waiting | null;
}

export type Place =
  /** The push that was made after this one, though it was told before it; null: this one is the newest. */
  { readonly newer: NewDeployment | null; readonly remark: Reason | null } | { readonly doubt: Doubt };

/**
 * Where a push belongs among those for the same target: compared with the newest that waits or runs, otherwise with what is
 * live, if a push made it so. What only the repository can tell is taken from the answers, or is a doubt.
 */
export function placePush(
  { unfinished, live }: Line,
  { receivedAt, answers }: { readonly receivedAt: Date; readonly answers: Answers },
  target: RouteTarget,
): Place {
  const other = unfinished.findLast((one) => isPush(one.deployment)) ?? live;
  if (other === null || !isPush(other.deployment)) return { newer: null, remark: null };
  const { deployment } = other;
  const order = orderOf(target.event, deployment);
  switch (order.is) {
    case 'newer':
      return { newer: null, remark: null };
    case 'older':
      return { newer: deployment, remark: null };
    case 'as_received':
      return { newer: receivedLater(other, receivedAt), remark: null };
    case 'must_ask_repository': {
      const told = answers.order.get(orderKey(order.question));
      if (told === undefined) return { doubt: { about: 'order', target, question: order.question } };
      const remark = 'unknown' in told ? orderUnknown(target, deployment.id, told.unknown) : null;
      const isOlder = 'older' in told && told.older;
      return { newer: isOlder ? deployment : receivedLater(other, receivedAt), remark };
    }
  }
}

/** The other one, when its delivery came in after this: this one waited for an answer meanwhile. */
function receivedLater({ deployment, receivedAt }: Waiting, mine: Date): NewDeployment | null {
  return receivedAt !== null && receivedAt > mine ? deployment : null;
}
