import type { Provider } from '../fraises/fraises.js';
import type { PushEvents } from './push-event.js';

/** HTTP headers with lower-case names, as node gives them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What one git host calls the things every delivery has; empty strings where a header is missing. */
export interface Envelope {
  readonly deliveryId: string;
  readonly event: string;
  /** Whether other deliveries may carry the same id, so that only id and body together are unique. */
  readonly idIsShared?: boolean;
}

/** How one git host signs and tells its deliveries. Adding another: see the checklist in CONTRIBUTING.md. */
export interface WebhookProvider {
  readonly name: Provider;
  /** Whether these are the headers of a delivery of this git host, and of no other. */
  detect(headers: Headers): boolean;
  envelope(headers: Headers): Envelope;
  /** Which of the secrets signed these very bytes, in constant time for each secret; null: none of them. */
  verify(
    rawBody: Uint8Array,
    headers: Headers,
    secrets: readonly string[],
  ): { readonly secretIndex: number } | null;
  /**
   * The events, once verified; `baseUrl` is where this git host lives. Throws FraisierError `unparseable` for what it
   * would never send.
   */
  parse(rawBody: Uint8Array, headers: Headers, baseUrl: string): PushEvents;
  /** Whether this is a test of the address that this git host never signs; it proves nothing and starts nothing. */
  isUnsignedTest?(headers: Headers): boolean;
  /** Headers worth keeping beside the body, so that it can be judged again; none of them secret. */
  readonly keptHeaders: readonly string[];
}

/** The value of a header, cut to `limit` characters and without control characters; empty when it is missing. */
export function headerOf(headers: Headers, name: string, limit = 200): string {
  const value = headers[name];
  const first = typeof value === 'string' ? value : (value?.[0] ?? '');
  return printable(first.slice(0, limit));
}

/** The first of these headers that says anything; empty when none does. */
export function firstHeaderOf(headers: Headers, names: readonly string[]): string {
  return names.map((name) => headerOf(headers, name)).find((value) => value !== '') ?? '';
}

/** Without control characters and halves of characters, which a database refuses or a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '');
}
