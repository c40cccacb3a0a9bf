import { FraisierError, reason } from '../../proto/error-codes.js';
import type { Received } from './accept-deliveries.js';
import { NO_SUBJECT } from './judge-delivery.js';
import { headerOf, type Headers, type WebhookProvider } from './provider.js';
import type { RefusalRecorder } from './record-refusal.js';

/**
 * Stores that somebody tried out the address without a signature, as the test button of a git host does that signs only
 * events: no body and no claim on an id, since nothing was verified. It starts nothing. Throws FraisierError
 * `rate_limited` when too many did so lately.
 */
export async function recordUnsignedTest(
  { edges, mayRecord }: RefusalRecorder,
  provider: WebhookProvider,
  headers: Headers,
): Promise<Received> {
  if (!mayRecord()) {
    throw new FraisierError('rate_limited', 'the address was tried out too often', {
      hint: 'wait a minute, then try it again; or push a commit',
    });
  }
  const { deliveryId, event } = provider.envelope(headers);
  const stored = await edges.ledger.insertDelivery({
    id: edges.newId('w'),
    provider: provider.name,
    deliveryId,
    event,
    ...NO_SUBJECT,
    verdict: 'pong',
    reason: reason(
      'not_a_push',
      'the address was tried out without a signature: it is right, the secret is not proven',
      {
        hint: 'push a commit to see whether the secret is right',
      },
    ),
    headers: { 'user-agent': headerOf(headers, 'user-agent') },
    body: null,
    matchedSecret: null,
    originalId: null,
  });
  return { status: 'pong', webhookId: stored.id };
}
