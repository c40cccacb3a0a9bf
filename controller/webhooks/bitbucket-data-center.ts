import {
  addressesIn,
  countAt,
  isObject,
  maybeObject,
  objectAt,
  timeAt,
  unparseable,
  wordAt,
  type Json,
} from './payload.js';
import type { Pushed, PushEvent, PushEvents } from './push-event.js';
import { messageOf } from './pushed-commits.js';
import { refEvent } from './ref-change.js';

/** The events of Bitbucket Data Center; `event` is its `X-Event-Key`. Throws FraisierError `unparseable`. */
export function dataCenterEvents(event: string, payload: Json, baseUrl: string): PushEvents {
  if (event === 'repo:refs_changed') return push(payload, baseUrl);
  if (event.startsWith('pr:')) return [pullRequest(payload, event.slice(3), baseUrl)];
  return [{ kind: 'unknown', event }];
}

/** One event for each branch and tag of the push. */
function push(payload: Json, baseUrl: string): PushEvents {
  const pushed = pushedOf(payload, objectAt(payload, 'repository'), baseUrl);
  const { changes } = payload;
  if (!Array.isArray(changes)) throw unparseable('the push has no `changes`');
  const [first, ...others] = changes.map((change) => changeOf(change, payload, pushed));
  return first === undefined ? [{ kind: 'unknown', event: 'push without a change' }] : [first, ...others];
}

function changeOf(change: unknown, payload: Json, pushed: Pushed): PushEvent {
  if (!isObject(change)) throw unparseable('a change of the push is no object');
  const { refId: ref, fromHash: before, toHash: after } = change;
  const { toCommit, commits } = payload;
  return refEvent({
    payload: { ref, before, after },
    pushed,
    deleted: change['type'] === 'DELETE',
    forced: null,
    headMessage: messageOf([toCommit], after) ?? messageOf(commits, after),
    // Its commits do not name their files.
    changedPaths: null,
    taggedCommit: null,
  });
}

function pullRequest(payload: Json, action: string, baseUrl: string): PushEvent {
  const request = objectAt(payload, 'pullRequest');
  const repository = objectAt(objectAt(request, 'toRef'), 'repository');
  const number = countAt(request, 'id');
  return { kind: 'pull_request', number, action, ...pushedOf(payload, repository, baseUrl) };
}

/** Older versions tell no address: then those of https and ssh are made from `base_url`, the project and the name. */
function pushedOf(payload: Json, repository: Json, baseUrl: string): Pushed {
  const { clone } = maybeObject(repository['links']);
  const told = Array.isArray(clone) ? clone.map((one) => maybeObject(one)['href']) : [];
  const project = wordAt(maybeObject(repository['project']), 'key');
  const slug = wordAt(repository, 'slug');
  const paths = project === '' || slug === '' ? [] : [`scm/${project}/${slug}.git`, `${project}/${slug}.git`];
  return {
    repositoryUrls: addressesIn(told.length > 0 ? told : paths.map((path) => `${baseUrl}/${path}`)),
    sender: wordAt(maybeObject(payload['actor']), 'name'),
    pushedAt: timeAt(payload, 'date'),
  };
}
