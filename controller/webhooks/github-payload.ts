import { addressesIn, countAt, maybeObject, objectAt, shaAt, timeAt, wordAt, type Json } from './payload.js';
import type { Pushed, PushEvent } from './push-event.js';
import { changedPaths, messageOf } from './pushed-commits.js';
import { refEvent } from './ref-change.js';

/** What GitHub's payloads and those made after them (Gitea, Forgejo, Gogs) have in common. */

/** A push; `namesAllCommits`: whether the delivery is known to name every pushed commit. */
export function pushOf(payload: Json, namesAllCommits: boolean): PushEvent {
  const { commits, after } = payload;
  const head = payload['head_commit'];
  return refEvent({
    payload,
    pushed: pushedOf(payload),
    deleted: payload['deleted'] === true,
    // Gitea and those after it do not say.
    forced: typeof payload['forced'] === 'boolean' ? payload['forced'] : null,
    headMessage: messageOf([head], after) ?? messageOf(commits, after),
    changedPaths: namesAllCommits ? changedPaths(commits, after) : null,
    taggedCommit: head == null ? null : shaAt(maybeObject(head), 'id'),
  });
}

/** What happened to a pull request. Throws FraisierError `unparseable` without a repository. */
export function pullRequestOf(payload: Json): PushEvent {
  const number = countAt(payload, 'number');
  return { kind: 'pull_request', number, action: wordAt(payload, 'action'), ...pushedOf(payload) };
}

/** Throws FraisierError `unparseable` without a repository and an address of it. */
export function pushedOf(payload: Json): Pushed {
  const repository = objectAt(payload, 'repository');
  const sender = maybeObject(payload['sender']);
  const pusher = maybeObject(payload['pusher']);
  return {
    repositoryUrls: addressesIn(
      ['clone_url', 'ssh_url', 'html_url', 'git_url'].map((key) => repository[key]),
    ),
    sender: wordAt(sender, 'login') || wordAt(pusher, 'login') || wordAt(pusher, 'name'),
    pushedAt: timeAt(repository, 'pushed_at'),
  };
}
