import { createHash } from 'node:crypto';
import type { Envelope } from './provider.js';

/**
 * What makes a delivery unique among those of its git host: the id it has, otherwise the digest of its body.
 * Limit: without an id, two pushes with the same body are one, as when a branch goes back and forth.
 */
export function deliveryIdOf({ deliveryId, idIsShared }: Envelope, rawBody: Uint8Array): string {
  if (deliveryId !== '' && idIsShared !== true) return deliveryId;
  const digest = createHash('sha256').update(rawBody).digest('hex');
  return deliveryId === '' ? `sha256:${digest}` : `${deliveryId}:${digest.slice(0, 16)}`;
}
