import { createHmac, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

/** One kind of event with the payloads that real repositories got for it. */
export interface ExampleEvent {
  readonly name: string;
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}

export interface SignedDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface PushToSign {
  /** As it stands in fraises.yaml: an https, ssh or file URL, or a path. */
  readonly repository: string;
  readonly branch: string;
  readonly commit: string;
  readonly secret: string;
  readonly deliveryId?: string;
  readonly before?: string;
  readonly forced?: boolean;
  /** Default: now. GitHub tells it in whole seconds. */
  readonly pushedAt?: Date;
  /** Of the pushed commit. */
  readonly message?: string;
  /** Files that the pushed commit modified; default: those of the real payload. */
  readonly modified?: readonly string[];
}

const NO_COMMIT = '0'.repeat(40);

/** Every example payload of GitHub, by kind of event. */
export function exampleEvents(): readonly ExampleEvent[] {
  return createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly ExampleEvent[];
}

/** A push of one commit to a branch, exactly as GitHub sends it: a real payload with the given facts in it. */
export function signedPush(push: PushToSign): SignedDelivery {
  return signedDelivery({ ...push, event: 'push', payload: pushPayload(push) });
}

/** A push whose `ref` is a tag. */
export function signedTag(tag: Omit<PushToSign, 'branch'> & { readonly tag: string }): SignedDelivery {
  const payload = { ...pushPayload({ ...tag, branch: '' }), ref: `refs/tags/${tag.tag}` };
  return signedDelivery({ ...tag, event: 'push', payload });
}

/** The push that tells of a deleted branch. */
export function signedBranchDeletion(push: Omit<PushToSign, 'commit'>): SignedDelivery {
  const payload = pushPayload({ before: 'a'.repeat(40), ...push, commit: NO_COMMIT });
  return signedDelivery({
    ...push,
    event: 'push',
    payload: { ...payload, deleted: true, head_commit: null },
  });
}

/** Any payload as a signed delivery; `form` sends it as GitHub does when the hook's content type is a form. */
export function signedDelivery(delivery: {
  readonly event: string;
  readonly payload: unknown;
  readonly secret: string;
  readonly deliveryId?: string;
  readonly form?: boolean;
}): SignedDelivery {
  const json = JSON.stringify(delivery.payload);
  const body = Buffer.from(delivery.form ? new URLSearchParams({ payload: json }).toString() : json);
  return {
    body,
    headers: {
      'content-type': delivery.form ? 'application/x-www-form-urlencoded' : 'application/json',
      'user-agent': 'GitHub-Hookshot/044aadd',
      'x-github-event': delivery.event,
      'x-github-delivery': delivery.deliveryId ?? randomUUID(),
      'x-github-hook-id': '292430182',
      'x-hub-signature-256': `sha256=${createHmac('sha256', delivery.secret).update(body).digest('hex')}`,
    },
  };
}

/** The payload of a push, before it is signed. */
export function pushPayload(push: Omit<PushToSign, 'secret'>): Record<string, unknown> {
  const example = examplePush();
  const head = example['head_commit'] as Record<string, unknown>;
  const files = push.modified === undefined ? {} : { added: [], modified: push.modified, removed: [] };
  const commit = { ...head, id: push.commit, message: push.message ?? head['message'], ...files };
  return {
    ...example,
    ref: `refs/heads/${push.branch}`,
    before: push.before ?? NO_COMMIT,
    after: push.commit,
    created: push.before === undefined,
    forced: push.forced ?? false,
    commits: [commit],
    head_commit: commit,
    repository: {
      ...(example['repository'] as Record<string, unknown>),
      ...repositoryUrls(push.repository),
      pushed_at: Math.floor((push.pushedAt ?? new Date()).getTime() / 1000),
    },
  };
}

function examplePush(): Readonly<Record<string, unknown>> {
  const pushes = exampleEvents().find((event) => event.name === 'push')?.examples ?? [];
  const toBranch = pushes.find((push) => push['ref'] === 'refs/heads/master' && push['created'] === true);
  if (toBranch === undefined) throw new Error('@octokit/webhooks-examples has no push to a branch');
  return toBranch;
}

/** What GitHub would call this repository; an address of another form (a file, a path) stands for all of them. */
function repositoryUrls(address: string): Record<string, string> {
  const parts = /^(?:https?:\/\/|ssh:\/\/git@|git@)([^/:]+)[/:](.+?)(?:\.git)?$/.exec(address);
  if (parts === null) return { clone_url: address, ssh_url: address, html_url: address, git_url: address };
  const [, host, path] = parts;
  return {
    full_name: path ?? '',
    clone_url: `https://${host}/${path}.git`,
    ssh_url: `git@${host}:${path}.git`,
    html_url: `https://${host}/${path}`,
    git_url: `git://${host}/${path}.git`,
  };
}
