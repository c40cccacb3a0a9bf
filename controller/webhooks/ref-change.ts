import { isNoCommit, shaAt, textAt, type Json } from './payload.js';
import type { BranchPush, Pushed, PushEvent } from './push-event.js';

const BRANCH = 'refs/heads/';
const TAG = 'refs/tags/';

/** A changed ref as GitHub, GitLab and Gitea tell it, with what each of them tells in its own way. */
export interface RefChange extends Pick<BranchPush, 'forced' | 'headMessage' | 'changedPaths'> {
  /** Holds `ref`, `before` and `after`. */
  readonly payload: Json;
  readonly pushed: Pushed;
  /** Whether the git host says in another way than by zeros that the ref is gone. */
  readonly deleted: boolean;
  /** The commit that an annotated tag stands on; null: `after` is all there is. */
  readonly taggedCommit: string | null;
}

/** Throws FraisierError `unparseable` when `ref`, `before` or `after` is none. */
export function refEvent(change: RefChange): PushEvent {
  const { payload, pushed, forced, headMessage, changedPaths } = change;
  const ref = textAt(payload, 'ref');
  const after = shaAt(payload, 'after');
  const gone = change.deleted || isNoCommit(after);
  const branch = nameAfter(BRANCH, ref);
  if (branch !== null) {
    if (gone) return { kind: 'branch_deleted', branch, ...pushed };
    const before = shaAt(payload, 'before');
    // Only the test button of a git host tells a push that changes nothing.
    if (before === after) return { kind: 'ping' };
    return { kind: 'push', branch, commit: after, before, forced, headMessage, changedPaths, ...pushed };
  }
  const tag = nameAfter(TAG, ref);
  if (tag !== null) {
    if (gone) return { kind: 'tag_deleted', tag, ...pushed };
    return { kind: 'tag', tag, commit: change.taggedCommit ?? after, ...pushed };
  }
  return { kind: 'unknown', event: `push to ${ref}` };
}

function nameAfter(prefix: string, ref: string): string | null {
  return ref.startsWith(prefix) && ref.length > prefix.length ? ref.slice(prefix.length) : null;
}

/** The event `delete` of GitHub and Gitea, which tells a ref that is gone. */
export function deletedRef(payload: Json, pushed: Pushed): PushEvent {
  const name = textAt(payload, 'ref');
  return payload['ref_type'] === 'tag'
    ? { kind: 'tag_deleted', tag: name, ...pushed }
    : { kind: 'branch_deleted', branch: name, ...pushed };
}
