import { createHmac, timingSafeEqual } from 'node:crypto';
import { FraisierError } from '../../proto/error-codes.js';
import { headerOf, printable, type Headers, type WebhookProvider } from './provider.js';
import type { BranchPush, PushEvent } from './push-event.js';

type Json = Readonly<Record<string, unknown>>;

const BRANCH = 'refs/heads/';
const TAG = 'refs/tags/';

/** Deliveries of github.com and GitHub Enterprise, as JSON or as a form; signed with SHA-256 (SHA-1 is not accepted). */
export const github: WebhookProvider = {
  name: 'github',
  // Gitea and Gogs send GitHub's headers too, beside their own.
  detect: (headers) =>
    headers['x-github-event'] !== undefined &&
    headers['x-gitea-event'] === undefined &&
    headers['x-gogs-event'] === undefined,
  envelope: (headers) => ({
    deliveryId: headerOf(headers, 'x-github-delivery'),
    event: headerOf(headers, 'x-github-event'),
  }),
  verify(rawBody, headers, secrets) {
    const given = /^sha256=([0-9a-f]{64})$/.exec(headerOf(headers, 'x-hub-signature-256'))?.[1];
    if (given === undefined) return null;
    const signature = Buffer.from(given, 'hex');
    const secretIndex = secrets.findIndex((secret) => signed(rawBody, secret, signature));
    return secretIndex < 0 ? null : { secretIndex };
  },
  parse(rawBody, headers) {
    const payload = payloadOf(rawBody, headers);
    const event = headerOf(headers, 'x-github-event');
    switch (event) {
      case 'ping':
        return { kind: 'ping' };
      case 'push':
        return push(payload);
      case 'delete':
        return deletion(payload);
      default:
        return { kind: 'unknown', event };
    }
  },
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

/** An empty secret signs nothing: anybody could have it. */
function signed(rawBody: Uint8Array, secret: string, signature: Buffer): boolean {
  if (secret === '') return false;
  return timingSafeEqual(createHmac('sha256', secret).update(rawBody).digest(), signature);
}

function payloadOf(rawBody: Uint8Array, headers: Headers): Json {
  const text = Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength).toString('utf8');
  const form = headerOf(headers, 'content-type')
    .toLowerCase()
    .startsWith('application/x-www-form-urlencoded');
  const json = form ? new URLSearchParams(text).get('payload') : text;
  if (json === null) throw unparseable('the form has no field `payload`');
  try {
    const payload: unknown = JSON.parse(json);
    if (isObject(payload)) return payload;
  } catch (error) {
    throw unparseable('the body is not JSON', error);
  }
  throw unparseable('the payload is not a JSON object');
}

function push(payload: Json): PushEvent {
  const ref = textAt(payload, 'ref');
  const after = shaAt(payload, 'after');
  const gone = payload['deleted'] === true || /^0+$/.test(after);
  const pushed = pushedOf(payload);
  if (ref.startsWith(BRANCH)) {
    const branch = ref.slice(BRANCH.length);
    if (gone) return { kind: 'branch_deleted', branch, ...pushed };
    const before = shaAt(payload, 'before');
    return { kind: 'push', branch, commit: after, before, forced: payload['forced'] === true, ...pushed };
  }
  if (ref.startsWith(TAG)) {
    const tag = ref.slice(TAG.length);
    if (gone) return { kind: 'tag_deleted', tag, ...pushed };
    return { kind: 'tag', tag, commit: taggedCommit(payload, after), ...pushed };
  }
  return { kind: 'unknown', event: `push to ${ref}` };
}

/** The event `delete`, which GitHub sends beside the push that says the same. */
function deletion(payload: Json): PushEvent {
  const name = textAt(payload, 'ref');
  const pushed = pushedOf(payload);
  return payload['ref_type'] === 'tag'
    ? { kind: 'tag_deleted', tag: name, ...pushed }
    : { kind: 'branch_deleted', branch: name, ...pushed };
}

/** `after` of an annotated tag is the tag object; the head commit is what it stands on. */
function taggedCommit(payload: Json, after: string): string {
  const head = payload['head_commit'];
  return isObject(head) ? shaAt(head, 'id') : after;
}

function pushedOf(payload: Json): Pick<BranchPush, 'repositoryUrls' | 'sender' | 'pushedAt'> {
  const repository = payload['repository'];
  if (!isObject(repository)) throw unparseable('the payload has no `repository`');
  const [first, ...others] = ['clone_url', 'ssh_url', 'html_url', 'git_url'].flatMap((key) => {
    const url = repository[key];
    return typeof url === 'string' && url !== '' ? [printable(url.slice(0, 2048))] : [];
  });
  if (first === undefined) throw unparseable('`repository` has no address (clone_url, ssh_url, html_url)');
  return {
    repositoryUrls: [first, ...others],
    sender: senderOf(payload),
    pushedAt: timeOf(repository['pushed_at']),
  };
}

function senderOf(payload: Json): string {
  const sender = payload['sender'];
  const pusher = payload['pusher'];
  const name = isObject(sender) ? sender['login'] : isObject(pusher) ? pusher['name'] : undefined;
  return typeof name === 'string' ? printable(name.slice(0, 200)) : '';
}

/** Seconds since 1970 in pushes, ISO 8601 elsewhere; null for anything that is no time. */
function timeOf(value: unknown): Date | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const time = new Date(typeof value === 'number' ? value * 1000 : value);
  return Number.isNaN(time.getTime()) || time.getTime() < 0 ? null : time;
}

/** A name of git: not empty, without control characters, of a length that git itself could store. */
function textAt(payload: Json, key: string): string {
  const value = payload[key];
  if (typeof value !== 'string' || value === '' || value.length > 1024 || printable(value) !== value) {
    throw unparseable(`\`${key}\` is not the name of a ref`);
  }
  return value;
}

function shaAt(payload: Json, key: string): string {
  const value = payload[key];
  if (typeof value !== 'string' || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value)) {
    throw unparseable(`\`${key}\` is not the full SHA of a commit`);
  }
  return value.toLowerCase();
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unparseable(problem: string, cause?: unknown): FraisierError {
  return new FraisierError('unparseable', `this is no delivery of GitHub: ${problem}`, {
    hint: 'look at the delivery on the page of the webhook at GitHub, under Recent Deliveries',
    cause,
  });
}
