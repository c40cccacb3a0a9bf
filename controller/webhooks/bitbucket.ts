import { dataCenterEvents } from './bitbucket-data-center.js';
import {
  addressesIn,
  countAt,
  isObject,
  maybeObject,
  objectAt,
  payloadOf,
  shaAt,
  textAt,
  unparseable,
  wordAt,
  type Json,
} from './payload.js';
import { firstHeaderOf, headerOf, type WebhookProvider } from './provider.js';
import type { Pushed, PushEvent, PushEvents } from './push-event.js';
import { matchHexHmac } from './signature.js';

const TEST = 'diagnostics:ping';

/** Deliveries of Bitbucket Cloud and Bitbucket Data Center, which sign alike and tell their events each in its own way. */
export const bitbucket: WebhookProvider = {
  name: 'bitbucket',
  detect: (headers) => headers['x-event-key'] !== undefined,
  // Cloud numbers its requests by UUID, the same in every attempt; Data Center has an id for each request.
  envelope: (headers) => ({
    deliveryId: firstHeaderOf(headers, ['x-request-uuid', 'x-request-id']),
    event: headerOf(headers, 'x-event-key'),
  }),
  verify(rawBody, headers, secrets) {
    const signature = headerOf(headers, 'x-hub-signature');
    return signature.startsWith('sha256=') ? matchHexHmac(rawBody, signature.slice(7), secrets) : null;
  },
  parse(rawBody, headers, baseUrl) {
    const event = headerOf(headers, 'x-event-key');
    const payload = payloadOf(rawBody, headers);
    if (event === TEST) return [{ kind: 'ping' }];
    if (event === 'repo:push') return push(payload, baseUrl);
    if (event.startsWith('pullrequest:')) return [pullRequest(payload, event, baseUrl)];
    return dataCenterEvents(event, payload, baseUrl);
  },
  isUnsignedTest: (headers) =>
    headerOf(headers, 'x-event-key') === TEST && headers['x-hub-signature'] === undefined,
  keptHeaders: [
    'content-type',
    'user-agent',
    'x-event-key',
    'x-hook-uuid',
    'x-request-uuid',
    'x-request-id',
    'x-attempt-number',
  ],
};

/** One event for each branch and tag of the push. */
function push(payload: Json, baseUrl: string): PushEvents {
  const pushed = pushedOf(payload, baseUrl);
  const changes = objectAt(payload, 'push')['changes'];
  if (!Array.isArray(changes)) throw unparseable('the push has no `changes`');
  const [first, ...others] = changes.map((change) => changeOf(change, pushed));
  return first === undefined ? [{ kind: 'unknown', event: 'push without a change' }] : [first, ...others];
}

function changeOf(change: unknown, pushed: Pushed): PushEvent {
  if (!isObject(change)) throw unparseable('a change of the push is no object');
  const { new: to, old } = change;
  if (to == null) return goneRef(objectAt(change, 'old'), pushed);
  const ref = objectAt(change, 'new');
  const name = textAt(ref, 'name');
  const target = objectAt(ref, 'target');
  const commit = shaAt(target, 'hash');
  const { message } = target;
  if (ref['type'] === 'tag') return { kind: 'tag', tag: name, commit, ...pushed };
  if (ref['type'] !== 'branch') return { kind: 'unknown', event: `push to a ${wordAt(ref, 'type')}` };
  return {
    kind: 'push',
    branch: name,
    commit,
    before:
      old == null ? '0'.repeat(commit.length) : shaAt(objectAt(objectAt(change, 'old'), 'target'), 'hash'),
    forced: change['forced'] === true,
    headMessage: typeof message === 'string' ? message : null,
    // Its commits do not name their files.
    changedPaths: null,
    ...pushed,
  };
}

function goneRef(old: Json, pushed: Pushed): PushEvent {
  const name = textAt(old, 'name');
  return old['type'] === 'tag'
    ? { kind: 'tag_deleted', tag: name, ...pushed }
    : { kind: 'branch_deleted', branch: name, ...pushed };
}

function pullRequest(payload: Json, event: string, baseUrl: string): PushEvent {
  const number = countAt(maybeObject(payload['pullrequest']), 'id');
  const action = event.slice(event.indexOf(':') + 1);
  return { kind: 'pull_request', number, action, ...pushedOf(payload, baseUrl) };
}

/** Cloud tells no address to clone from, but the name that all of them hold. */
function pushedOf(payload: Json, baseUrl: string): Pushed {
  const repository = objectAt(payload, 'repository');
  const name = wordAt(repository, 'full_name');
  const page = maybeObject(maybeObject(repository['links'])['html'])['href'];
  const actor = maybeObject(payload['actor']);
  return {
    repositoryUrls: addressesIn([name === '' ? null : `${baseUrl}/${name}`, page]),
    sender: wordAt(actor, 'nickname') || wordAt(actor, 'username') || wordAt(actor, 'display_name'),
    pushedAt: null,
  };
}
