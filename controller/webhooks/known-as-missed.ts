import { reason } from '../../proto/error-codes.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';
import type { Routed } from './ask-environments.js';

/** Whether somebody looks for missed pushes of what it deploys. */
export function mayBeKnownAsMissed({ branch }: Pick<NewDelivery, 'branch'>, routed: Routed): boolean {
  if (!('targets' in routed) || branch === '') return false;
  return routed.targets.some((one) => one.environmentConfig.missedPushCheckMs !== null);
}

/**
 * Stores a delivery as a `duplicate` of the missed push that was recorded for the same commit, when that one deploys; null
 * when there is none, or nobody looks for missed pushes. It claims nothing. Needs a transaction.
 */
export async function knownAsMissed(
  tx: Ledger,
  delivery: NewDelivery,
  routed: Routed,
): Promise<{ stored: DeliveryRow; original: DeliveryRow } | null> {
  if (!mayBeKnownAsMissed(delivery, routed)) return null;
  const original = await tx.missedDelivery(delivery.branch, delivery.commit);
  if (original === null || original.verdict === 'ignored') return null;
  const message = `tells the push that was recorded as missed: ${original.id}, which was ${original.verdict}`;
  const why = reason('duplicate_delivery', message, { facts: { original: original.id } });
  const stored = await tx.insertDelivery({
    ...delivery,
    verdict: 'duplicate',
    reason: why,
    originalId: original.id,
  });
  return { stored, original };
}
