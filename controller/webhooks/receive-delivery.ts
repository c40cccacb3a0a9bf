import type { Accept, Received } from './accept-deliveries.js';
import { judgeDelivery } from './judge-delivery.js';
import type { Admit } from './limit-rate.js';
import type { IncomingDelivery, Verifier } from './verify-delivery.js';

export interface Receiver extends Verifier {
  /** Told of every verified delivery; throws for one that is too many of its repository. */
  readonly admit: Admit;
  readonly accept: Accept;
}

/**
 * Takes one delivery in: verified, understood, routed by the current configuration and, in one transaction, stored
 * with the deployments it starts. Once it returns, all of that is in the ledger; when it throws, nothing is.
 * Throws FraisierError `bad_signature` or `unparseable`; only what was verified can claim a delivery id.
 */
export async function receiveDelivery(receiver: Receiver, incoming: IncomingDelivery): Promise<Received> {
  const judged = await judgeDelivery(receiver, incoming);
  receiver.admit(judged.delivery.repository);
  return receiver.accept(judged);
}
