import type { Provider } from '../fraises/fraises.js';
import type { PushEvent } from './push-event.js';

/** HTTP headers with lower-case names, as node gives them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What one git host calls the things every delivery has; empty strings where a header is missing. */
export interface Envelope {
  readonly deliveryId: string;
  readonly event: string;
}

/** How one git host signs and tells its deliveries. */
export interface WebhookProvider {
  readonly name: Provider;
  /** Whether these are the headers of a delivery of this git host. */
  detect(headers: Headers): boolean;
  envelope(headers: Headers): Envelope;
  /** Which of the secrets signed these very bytes, in constant time for each secret; null: none of them. */
  verify(
    rawBody: Uint8Array,
    headers: Headers,
    secrets: readonly string[],
  ): { readonly secretIndex: number } | null;
  /** The event, once verified. Throws FraisierError `unparseable` for what this git host would never send. */
  parse(rawBody: Uint8Array, headers: Headers): PushEvent;
  /** Headers worth keeping beside the body, so that it can be judged again; none of them secret. */
  readonly keptHeaders: readonly string[];
}

/** The value of a header, cut to `limit` characters and without control characters; empty when it is missing. */
export function headerOf(headers: Headers, name: string, limit = 200): string {
  const value = headers[name];
  const first = typeof value === 'string' ? value : (value?.[0] ?? '');
  return printable(first.slice(0, limit));
}

/** Without control characters and halves of characters, which a database refuses or a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '');
}
