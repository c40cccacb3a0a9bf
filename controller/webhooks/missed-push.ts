import { createHash } from 'node:crypto';
import type { BranchToCheck } from '../deployments/ledger/delivery.js';
import { payloadOf, shaAt, textAt } from './payload.js';
import type { BranchPush } from './push-event.js';

/** A push that no delivery told: where a branch was found to be. */
export interface MissedPush {
  /** As it stands in the configuration. */
  readonly repository: string;
  readonly branch: string;
  readonly commit: string;
}

/** What is kept of it as the body of its delivery, so that it can be judged again. */
export function bodyOf({ repository, branch, commit }: MissedPush): Uint8Array {
  return Buffer.from(JSON.stringify({ repository, branch, commit }));
}

/** The push that `bodyOf` wrote down. Throws FraisierError `unparseable`. */
export function missedPushOf(body: Uint8Array): BranchPush {
  const payload = payloadOf(body, {});
  const commit = shaAt(payload, 'commit');
  return {
    kind: 'push',
    branch: textAt(payload, 'branch'),
    commit,
    before: '0'.repeat(commit.length),
    forced: null,
    headMessage: null,
    changedPaths: null,
    repositoryUrls: [textAt(payload, 'repository')],
    sender: '',
    pushedAt: null,
  };
}

/** The same for the same commit of the same branch, whoever notices it: it is recorded once. */
export function missedDeliveryId({ repository, branch }: BranchToCheck, commit: string): string {
  const digest = createHash('sha256').update([repository, branch, commit].join('\n')).digest('hex');
  return `missed:${digest}`;
}
