import type { NewDeployment } from '../deployments/ledger/deployment.js';
import { isNoCommit } from './payload.js';
import type { Deployable } from './push-event.js';

/** Of a push that did not rewrite its branch: whether its commit is in the history of a commit that is deployed. */
export interface OrderQuestion {
  /** The head of the branch before the push: not in the history of `commit` when the push was forced. */
  readonly before: string;
  readonly commit: string;
  readonly other: string;
}

export type PushOrder =
  /** It comes after the other one. */
  | { readonly is: 'newer' }
  | { readonly is: 'older' }
  | { readonly is: 'must_ask_repository'; readonly question: OrderQuestion }
  /** Nothing tells but the order in which they were received. */
  | { readonly is: 'as_received' };

/**
 * Whether a push was made after the one that another deployment is of. By the git host's clock, in whole seconds; on the
 * same branch otherwise by the commits. A push that was forced, or that made its branch, may go back on purpose.
 */
export function orderOf(event: Deployable, other: NewDeployment): PushOrder {
  const [mine, theirs] = [event.pushedAt, clockTimeOf(other)];
  if (mine !== null && theirs !== null && seconds(mine) !== seconds(theirs))
    return { is: mine > theirs ? 'newer' : 'older' };
  if (event.kind === 'tag' || event.branch !== other.ref) return { is: 'as_received' };
  if (event.before === other.commit) return { is: 'newer' };
  const goesBack = event.forced === true || isNoCommit(event.before);
  if (goesBack || event.commit === other.commit) return { is: 'as_received' };
  const { before, commit } = event;
  return { is: 'must_ask_repository', question: { before, commit, other: other.commit } };
}

/** A push of the whole environment; manual and partial deployments are nobody's to supersede. */
export function isPush({ kind, trigger, onlyHosts, force }: NewDeployment): boolean {
  const pushed = trigger === 'webhook' || trigger === 'missed_push';
  return pushed && kind === 'deploy' && onlyHosts.length === 0 && !force;
}

/** What a missed push was noticed by is our clock, long after it was made. */
function clockTimeOf({ trigger, pushedAt }: NewDeployment): Date | null {
  return trigger === 'missed_push' ? null : pushedAt;
}

/** Git hosts tell whole seconds. */
function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
