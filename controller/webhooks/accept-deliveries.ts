import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';
import { claimDelivery } from './claim-delivery.js';
import { NO_ANSWERS } from './doubts.js';
import { inGroups } from '../deployments/in-groups.js';
import type { PushToQueue } from './join-line.js';
import type { Judged } from './judge-delivery.js';
import { knownAsMissed, mayBeKnownAsMissed } from './known-as-missed.js';
import { queueDeployments, type Queued } from './queue-deployments.js';

/** What became of a verified delivery; `webhookId` is its row in the ledger. */
export type Received =
  | { readonly status: 'accepted'; readonly webhookId: string; readonly deployments: readonly string[] }
  /** An agent is being asked about some of its targets; `deployments` are those of the others. */
  | { readonly status: 'pending'; readonly webhookId: string; readonly deployments: readonly string[] }
  | { readonly status: 'pong'; readonly webhookId: string }
  | { readonly status: 'ignored'; readonly webhookId: string; readonly reason: Reason }
  /** `originalId` is the delivery it repeats, `deployments` what that one started. */
  | {
      readonly status: 'duplicate';
      readonly webhookId: string;
      readonly originalId: string;
      readonly deployments: readonly string[];
    };

/** Stores a judged delivery with what it starts. Once it returns, all of that is committed; when it throws, nothing is. */
export type Accept = (judged: Judged) => Promise<Received>;

/** More would hold the locks of the fraises too long. */
const MOST_TOGETHER = 64;
/** Of bodies in one statement; git hosts send up to 25 MB, most of them 10 kB. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Deliveries that come at the same time are accepted together: one transaction, one commit, for all of them. */
export function acceptInGroups(edges: Pick<Edges, 'ledger' | 'newId'>): Accept {
  return inGroups((group: readonly Judged[]) => acceptDeliveries(edges, group), {
    most: MOST_TOGETHER,
    heaviest: MOST_BYTES,
    weigh: ({ delivery }) => delivery.body.length,
  });
}

interface Arrived {
  readonly judged: Judged;
  readonly row: NewDelivery;
}

interface Claimed {
  readonly stored: DeliveryRow;
  /** What it repeats; null: it has the claim itself. */
  readonly original: DeliveryRow | null;
}

/**
 * Accepts deliveries in the order in which they came, in one transaction: what nobody delivered before in a few
 * statements, however many they are; for each repeat, and what may be known as missed, there are some more.
 */
export async function acceptDeliveries(
  { ledger, newId }: Pick<Edges, 'ledger' | 'newId'>,
  group: readonly Judged[],
): Promise<readonly Received[]> {
  return ledger.transaction(async (tx) => {
    const arrived = group.map((judged): Arrived => ({ judged, row: { id: newId('w'), ...judged.delivery } }));
    const claims = await claimAll(tx, arrived);
    const pushes = arrived.flatMap(({ judged, row }) => pushesOf(judged, claims.get(row.id) as Claimed));
    const queued = await queueDeployments(tx, newId, pushes);
    const queuedBy = new Map(pushes.map(({ delivery }, index) => [delivery.id, queued[index] as Queued]));
    return arrived.map(({ judged, row }) => receivedAs(judged, claims.get(row.id) as Claimed, queuedBy));
  });
}

/** By id. Claims come before queues, and in one order for everybody, so that no two transactions wait for each other. */
async function claimAll(tx: Ledger, arrived: readonly Arrived[]): Promise<ReadonlyMap<string, Claimed>> {
  const fresh = arrived.filter(({ judged, row }) => !mayBeKnownAsMissed(row, judged.routed));
  const stored = await tx.claimDeliveries(fresh.map(({ row }) => row));
  const claims = new Map<string, Claimed>();
  for (const one of stored) if (one !== null) claims.set(one.id, { stored: one, original: null });
  for (const { judged, row } of arrived.filter((one) => !claims.has(one.row.id)).toSorted(byDeliveryId))
    claims.set(row.id, (await knownAsMissed(tx, row, judged.routed)) ?? (await claimDelivery(tx, row)));
  return claims;
}

function byDeliveryId({ row: one }: Arrived, { row: other }: Arrived): number {
  const [left, right] = [`${one.provider} ${one.deliveryId}`, `${other.provider} ${other.deliveryId}`];
  return Number(left > right) - Number(left < right);
}

/** One, unless nothing of it is deployed. */
function pushesOf({ routed, configRevision }: Judged, { stored, original }: Claimed): readonly PushToQueue[] {
  if (original !== null || 'ignored' in routed) return [];
  const { receivedAt } = stored;
  return [{ targets: routed.targets, delivery: stored, receivedAt, configRevision, answers: NO_ANSWERS }];
}

function receivedAs(
  { event, routed }: Judged,
  { stored: { id: webhookId }, original }: Claimed,
  queuedBy: ReadonlyMap<string, Queued>,
): Received {
  if (original !== null) {
    const { deployments } = queuedBy.get(original.id) ?? original;
    return { status: 'duplicate', webhookId, originalId: original.id, deployments };
  }
  if (event.kind === 'ping') return { status: 'pong', webhookId };
  if ('ignored' in routed) return { status: 'ignored', webhookId, reason: routed.ignored };
  const { deployments, doubts } = queuedBy.get(webhookId) as Queued;
  return { status: doubts.length === 0 ? 'accepted' : 'pending', webhookId, deployments };
}
