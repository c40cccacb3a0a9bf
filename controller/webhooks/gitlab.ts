import {
  addressesIn,
  countAt,
  maybeObject,
  objectAt,
  payloadOf,
  shaAt,
  wordAt,
  type Json,
} from './payload.js';
import { firstHeaderOf, headerOf, type Headers, type WebhookProvider } from './provider.js';
import type { Pushed, PushEvent } from './push-event.js';
import { changedPaths, countOf, messageOf } from './pushed-commits.js';
import { refEvent } from './ref-change.js';
import { firstMatch, hmac, sameValue } from './signature.js';

/** Signing tokens of GitLab begin like this; what follows is the key in base64. */
const SIGNING_TOKEN = 'whsec_';

/**
 * Deliveries of gitlab.com and own installations. A secret that begins with `whsec_` is a signing token (HMAC-SHA256
 * over id, time and body), any other a secret token, which GitLab sends as it is. How old a delivery is, is not asked:
 * an old one that is sent again has an id that was claimed.
 */
export const gitlab: WebhookProvider = {
  name: 'gitlab',
  detect: (headers) => headers['x-gitlab-event'] !== undefined,
  envelope(headers) {
    const event = headerOf(headers, 'x-gitlab-event');
    // The signed id first; both are the same in every attempt to deliver.
    const own = firstHeaderOf(headers, ['webhook-id', 'idempotency-key']);
    if (own !== '') return { deliveryId: own, event };
    return { deliveryId: headerOf(headers, 'x-gitlab-event-uuid'), event, idIsShared: true };
  },
  verify: (rawBody, headers, secrets) =>
    firstMatch(secrets, (secret) =>
      secret.startsWith(SIGNING_TOKEN) ? signed(rawBody, headers, secret) : sent(headers, secret),
    ),
  parse: (rawBody, headers) => [eventOf(headerOf(headers, 'x-gitlab-event'), payloadOf(rawBody, headers))],
  keptHeaders: [
    'content-type',
    'user-agent',
    'x-gitlab-event',
    'x-gitlab-event-uuid',
    'x-gitlab-webhook-uuid',
    'x-gitlab-instance',
    'idempotency-key',
    'webhook-id',
    'webhook-timestamp',
  ],
};

/** Node reads header values as latin1, so that any secret comes back as the bytes that were sent. */
function sent(headers: Headers, secret: string): boolean {
  const token = headers['x-gitlab-token'];
  return typeof token === 'string' && sameValue(Buffer.from(token, 'latin1'), Buffer.from(secret));
}

/** `webhook-signature` holds one or more signatures, of which one must be right. */
function signed(rawBody: Uint8Array, headers: Headers, secret: string): boolean {
  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    headerOf(headers, name, 1000),
  ) as [string, string, string];
  const key = Buffer.from(secret.slice(SIGNING_TOKEN.length), 'base64');
  if (key.length === 0 || id === '') return false;
  const expected = `v1,${hmac(key, [`${id}.${time}.`, rawBody]).toString('base64')}`;
  return signatures.split(' ').some((one) => sameValue(one, expected));
}

function eventOf(event: string, payload: Json): PushEvent {
  switch (event) {
    case 'Push Hook':
    case 'Tag Push Hook':
      return push(payload);
    case 'Merge Request Hook':
      return mergeRequest(payload);
    case 'System Hook':
      return systemEvent(payload);
    default:
      return { kind: 'unknown', event };
  }
}

/** Hooks of a whole installation say in the payload what the others say in the header. */
function systemEvent(payload: Json): PushEvent {
  const event = wordAt(payload, 'object_kind') || wordAt(payload, 'event_name');
  switch (event) {
    case 'push':
    case 'tag_push':
      return push(payload);
    case 'merge_request':
      return mergeRequest(payload);
    default:
      return { kind: 'unknown', event: event || 'System Hook' };
  }
}

function push(payload: Json): PushEvent {
  const { commits, after } = payload;
  const whole = countAt(payload, 'total_commits_count') === countOf(commits);
  return refEvent({
    payload,
    pushed: pushedOf(payload, wordAt(payload, 'user_username') || wordAt(payload, 'user_name')),
    deleted: false,
    forced: null,
    headMessage: messageOf(commits, after),
    changedPaths: whole ? changedPaths(commits, after) : null,
    taggedCommit: payload['checkout_sha'] == null ? null : shaAt(payload, 'checkout_sha'),
  });
}

function mergeRequest(payload: Json): PushEvent {
  const attributes = maybeObject(payload['object_attributes']);
  const action = wordAt(attributes, 'action') || wordAt(attributes, 'state');
  const pushed = pushedOf(payload, wordAt(maybeObject(payload['user']), 'username'));
  return { kind: 'pull_request', number: countAt(attributes, 'iid'), action, ...pushed };
}

function pushedOf(payload: Json, sender: string): Pushed {
  const project = objectAt(payload, 'project');
  const keys = ['git_http_url', 'git_ssh_url', 'web_url', 'http_url', 'ssh_url'];
  return { repositoryUrls: addressesIn(keys.map((key) => project[key])), sender, pushedAt: null };
}
