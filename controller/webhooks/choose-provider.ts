import { FraisierError } from '../../proto/error-codes.js';
import { bitbucket } from './bitbucket.js';
import { gitea } from './gitea.js';
import { github } from './github.js';
import { gitlab } from './gitlab.js';
import type { Headers, WebhookProvider } from './provider.js';

/** The git hosts whose deliveries this version understands. */
export const WEBHOOK_PROVIDERS: readonly WebhookProvider[] = [github, gitlab, gitea, bitbucket];

/**
 * The git host that sent a delivery: the one that was named, otherwise the one its headers show.
 * Throws FraisierError `usage` when it is none of those.
 */
export function chooseProvider(name: string | undefined, headers: Headers): WebhookProvider {
  const provider = WEBHOOK_PROVIDERS.find((one) =>
    name === undefined ? one.detect(headers) : one.name === name,
  );
  if (provider !== undefined) return provider;
  const problem =
    name === undefined ? 'the headers do not show which git host sent this' : 'there is no such git host';
  throw new FraisierError('usage', problem, {
    hint: `this version understands: ${WEBHOOK_PROVIDERS.map((one) => one.name).join(', ')}`,
  });
}
