import { FraisierError } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../deployments/edges.js';
import { NO_SUBJECT } from './judge-delivery.js';
import { headerOf, type Headers, type WebhookProvider } from './provider.js';

/** Codes of the deliveries that are refused; each is its own verdict. */
const REFUSALS = ['bad_signature', 'unparseable', 'too_large', 'rate_limited'] as const;

export interface Refused {
  readonly provider: WebhookProvider;
  readonly headers: Headers;
  readonly verdict: (typeof REFUSALS)[number];
  readonly reason: Reason;
}

export interface RefusalRecorder {
  readonly edges: Pick<Edges, 'ledger' | 'newId'>;
  /** Whether one more may be stored now: strangers must not be able to fill the database. */
  readonly mayRecord: () => boolean;
}

/** What an error says of the delivery; null for one that is not the delivery's fault. */
export function refusalOf(error: unknown): Pick<Refused, 'verdict' | 'reason'> | null {
  if (!(error instanceof FraisierError)) return null;
  const { reason } = error;
  const verdict = REFUSALS.find((code) => code === reason.code);
  return verdict === undefined ? null : { verdict, reason };
}

/**
 * Stores that a delivery was refused, and why: no body, nothing of unknown length, and no claim on the delivery id it
 * names, since it was not verified. Stores nothing when too many were refused lately.
 */
export async function recordRefusal({ edges, mayRecord }: RefusalRecorder, refused: Refused): Promise<void> {
  if (!mayRecord()) return;
  const { provider, headers, verdict, reason } = refused;
  const { deliveryId, event } = provider.envelope(headers);
  await edges.ledger.insertDelivery({
    id: edges.newId('w'),
    provider: provider.name,
    deliveryId,
    event,
    ...NO_SUBJECT,
    verdict,
    reason,
    headers: { 'user-agent': headerOf(headers, 'user-agent') },
    body: null,
    matchedSecret: null,
    originalId: null,
  });
}

/** At most `limit` times in any minute that starts with the first of them; `nowMs` is a clock that never goes back. */
export function perMinute(limit: number, nowMs: () => number): () => boolean {
  let started = -Infinity;
  let used = 0;
  return () => {
    const now = nowMs();
    if (now - started >= 60_000) {
      started = now;
      used = 0;
    }
    used += 1;
    return used <= limit;
  };
}
