import { FraisierError } from '../../proto/error-codes.js';
import { PROVIDERS } from '../fraises/fraises.js';
import { github } from './github.js';
import type { Headers, WebhookProvider } from './provider.js';

/** The git hosts whose deliveries this version understands. */
export const WEBHOOK_PROVIDERS: readonly WebhookProvider[] = [github];

/** Header that only this git host sends, for those that are told apart but not understood yet. */
const TELLTALES: readonly (readonly [header: string, name: string])[] = [
  ['x-gitlab-event', 'gitlab'],
  ['x-gitea-event', 'gitea'],
  ['x-event-key', 'bitbucket'],
];

/**
 * The git host that sent a delivery: the one that was named, otherwise the one its headers show.
 * Throws FraisierError `usage` when it is one this version does not understand, or none.
 */
export function chooseProvider(name: string | undefined, headers: Headers): WebhookProvider {
  const sender = name ?? TELLTALES.find(([header]) => headers[header] !== undefined)?.[1];
  const provider = WEBHOOK_PROVIDERS.find((one) =>
    sender === undefined ? one.detect(headers) : one.name === sender,
  );
  if (provider !== undefined) return provider;
  const hint = `this version understands: ${WEBHOOK_PROVIDERS.map((one) => one.name).join(', ')}`;
  if (sender === undefined)
    throw new FraisierError('usage', 'the headers do not show which git host sent this', { hint });
  const known = (PROVIDERS as readonly string[]).includes(sender);
  throw new FraisierError(
    'usage',
    known ? `deliveries of ${sender} are not available in this version` : 'there is no such git host',
    { hint },
  );
}
