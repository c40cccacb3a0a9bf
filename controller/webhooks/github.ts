import { pullRequestOf, pushedOf, pushOf } from './github-payload.js';
import { payloadOf, type Json } from './payload.js';
import { headerOf, type WebhookProvider } from './provider.js';
import type { PushEvent } from './push-event.js';
import { countOf } from './pushed-commits.js';
import { deletedRef } from './ref-change.js';
import { matchHexHmac } from './signature.js';

/** Headers of git hosts that send GitHub's headers too, beside their own. */
const IMITATORS = ['x-gitea-event', 'x-gogs-event', 'x-forgejo-event'];

/** Deliveries of github.com and GitHub Enterprise, as JSON or as a form; signed with SHA-256 (SHA-1 is not accepted). */
export const github: WebhookProvider = {
  name: 'github',
  detect: (headers) =>
    headers['x-github-event'] !== undefined && IMITATORS.every((name) => headers[name] === undefined),
  envelope: (headers) => ({
    deliveryId: headerOf(headers, 'x-github-delivery'),
    event: headerOf(headers, 'x-github-event'),
  }),
  verify(rawBody, headers, secrets) {
    const signature = headerOf(headers, 'x-hub-signature-256');
    return signature.startsWith('sha256=') ? matchHexHmac(rawBody, signature.slice(7), secrets) : null;
  },
  parse: (rawBody, headers) => [eventOf(headerOf(headers, 'x-github-event'), payloadOf(rawBody, headers))],
  keptHeaders: [
    'content-type',
    'user-agent',
    'x-github-delivery',
    'x-github-event',
    'x-github-hook-id',
    'x-github-hook-installation-target-id',
    'x-github-hook-installation-target-type',
  ],
};

function eventOf(event: string, payload: Json): PushEvent {
  switch (event) {
    case 'ping':
      return { kind: 'ping' };
    case 'push':
      return pushOf(payload, namesAllCommits(payload));
    case 'delete':
      return deletedRef(payload, pushedOf(payload));
    case 'pull_request':
      return pullRequestOf(payload);
    default:
      return { kind: 'unknown', event };
  }
}

/** A list of exactly the most that a version of GitHub sends (2048, once 20) may have been cut there. */
function namesAllCommits(payload: Json): boolean {
  const count = countOf(payload['commits']);
  return count !== 20 && count < 2048;
}
