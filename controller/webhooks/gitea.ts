import { pullRequestOf, pushedOf, pushOf } from './github-payload.js';
import { countAt, isForm, payloadOf, payloadText, shaAt, textAt, type Json } from './payload.js';
import { firstHeaderOf, type Headers, type WebhookProvider } from './provider.js';
import type { PushEvent } from './push-event.js';
import { countOf } from './pushed-commits.js';
import { deletedRef } from './ref-change.js';
import { matchHexHmac } from './signature.js';

/** One header under the names that Forgejo, Gitea and Gogs have for it: each sends its own and those of its ancestors. */
const named = (what: string): readonly string[] =>
  ['forgejo', 'gitea', 'gogs'].map((host) => `x-${host}-${what}`);

const EVENT = named('event');
const DELIVERY = named('delivery');
const SIGNATURE = named('signature');

/** Deliveries of Gitea, Forgejo and Gogs, as JSON or as a form. */
export const gitea: WebhookProvider = {
  name: 'gitea',
  detect: (headers) => EVENT.some((name) => headers[name] !== undefined),
  envelope: (headers) => ({
    deliveryId: firstHeaderOf(headers, DELIVERY),
    event: firstHeaderOf(headers, EVENT),
  }),
  verify: (rawBody, headers, secrets) =>
    matchHexHmac(signedPart(rawBody, headers), firstHeaderOf(headers, SIGNATURE), secrets),
  parse: (rawBody, headers) => [eventOf(eventName(headers), payloadOf(rawBody, headers))],
  keptHeaders: ['content-type', 'user-agent', ...EVENT, ...named('event-type'), ...DELIVERY],
};

/** Unlike GitHub, these sign the payload inside of a form and not the form. */
function signedPart(rawBody: Uint8Array, headers: Headers): Uint8Array | string {
  return isForm(headers) ? payloadText(rawBody, headers) : rawBody;
}

/** Gogs alone tells a new tag by `create`; the others tell it by a push as well, which is the one that counts. */
function eventName(headers: Headers): string {
  const event = firstHeaderOf(headers, EVENT);
  return event === 'create' && headers['x-gitea-event'] === undefined ? 'create at gogs' : event;
}

function eventOf(event: string, payload: Json): PushEvent {
  switch (event) {
    case 'push':
      return pushOf(payload, namesAllCommits(payload));
    case 'create at gogs':
      return newRefAtGogs(payload);
    case 'delete':
      return deletedRef(payload, pushedOf(payload));
    case 'pull_request':
      return pullRequestOf(payload);
    default:
      return { kind: 'unknown', event };
  }
}

function newRefAtGogs(payload: Json): PushEvent {
  if (payload['ref_type'] !== 'tag') return { kind: 'unknown', event: 'create' };
  return { kind: 'tag', tag: textAt(payload, 'ref'), commit: shaAt(payload, 'sha'), ...pushedOf(payload) };
}

/** Gitea names the newest few and says how many there were; Gogs names the newest few and does not say. */
function namesAllCommits(payload: Json): boolean {
  return countAt(payload, 'total_commits') === countOf(payload['commits']);
}
