import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow } from '../deployments/ledger.js';
import { claimDelivery } from './claim-delivery.js';
import { NO_ANSWERS } from './doubts.js';
import { judgeDelivery } from './judge-delivery.js';
import { knownAsMissed } from './known-as-missed.js';
import type { Admit } from './limit-rate.js';
import { queueDeployments } from './queue-deployments.js';
import type { IncomingDelivery, Verifier } from './verify-delivery.js';

export interface Receiver extends Verifier {
  readonly edges: Edges;
  /** Told of every verified delivery; throws for one that is too many of its repository. */
  readonly admit: Admit;
}

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

/**
 * Takes one delivery in: verified, understood, routed by the current configuration and, in one transaction, stored
 * with the deployments it starts. Once it returns, all of that is in the ledger; when it throws, nothing is.
 * Throws FraisierError `bad_signature` or `unparseable`; only what was verified can claim a delivery id.
 */
export async function receiveDelivery(receiver: Receiver, incoming: IncomingDelivery): Promise<Received> {
  const { ledger, newId } = receiver.edges;
  const { event, routed, delivery, configRevision } = await judgeDelivery(receiver, incoming);
  receiver.admit(delivery.repository);
  return ledger.transaction(async (tx) => {
    const row = { id: newId('w'), ...delivery };
    const known = await knownAsMissed(tx, row, routed);
    const { stored, original } = known ?? (await claimDelivery(tx, row));
    if (original !== null) return repetition(stored, original);
    if (event.kind === 'ping') return { status: 'pong', webhookId: stored.id };
    if ('ignored' in routed) return { status: 'ignored', webhookId: stored.id, reason: routed.ignored };
    const push = { targets: routed.targets, delivery: stored, configRevision, answers: NO_ANSWERS };
    const { deployments, doubts } = await queueDeployments(tx, newId, push);
    return { status: doubts.length === 0 ? 'accepted' : 'pending', webhookId: stored.id, deployments };
  });
}

function repetition(stored: DeliveryRow, original: DeliveryRow): Received {
  return {
    status: 'duplicate',
    webhookId: stored.id,
    originalId: original.id,
    deployments: original.deployments,
  };
}
