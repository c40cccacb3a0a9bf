import { FraisierError, reason } from '../../proto/error-codes.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';

/** Each try that fails means that another delivery of the same id got further. */
const TRIES = 100;

/**
 * Stores a verified delivery. The first of its id gets the claim (`original: null`), and so does one that repeats a
 * delivery that was ignored: it is judged again. Any other is stored as a `duplicate` of the one that has the claim.
 * Guarantee: of any number at the same time, one holds the claim once all have ended. Needs a transaction.
 */
export async function claimDelivery(
  tx: Ledger,
  delivery: NewDelivery,
): Promise<{ stored: DeliveryRow; original: DeliveryRow | null }> {
  let mine = delivery;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const stored = await tx.claimDelivery(mine);
    if (stored !== null) return { stored, original: null };
    const original = await tx.holdClaimed(delivery.provider, delivery.deliveryId);
    if (original === null) continue;
    if (original.verdict !== 'ignored')
      return { stored: await tx.insertDelivery(repeatOf(original, delivery)), original };
    await tx.releaseClaim(original.id);
    mine = { ...delivery, originalId: original.id };
  }
  throw new FraisierError(
    'internal',
    `delivery ${delivery.deliveryId} is being repeated faster than it can be stored`,
  );
}

function repeatOf(original: DeliveryRow, delivery: NewDelivery): NewDelivery {
  const why = reason('duplicate_delivery', `repeats ${original.id}, which was ${original.verdict}`, {
    facts: { original: original.id },
  });
  return { ...delivery, verdict: 'duplicate', reason: why, originalId: original.id };
}
