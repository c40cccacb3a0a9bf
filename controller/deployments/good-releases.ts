import type { DeploymentRow } from './ledger/deployment.js';

/**
 * Whether what it deployed was live and good when it ended, on the whole environment; of a rollback, on all of it that
 * answered: what it left elsewhere is what somebody wanted to be rid of.
 */
export function madeLive({ status, kind, onlyHosts }: DeploymentRow): boolean {
  if (onlyHosts.length > 0 && kind !== 'rollback') return false;
  return status === 'succeeded' || (kind === 'rollback' && status === 'rolled_back');
}

/**
 * The good releases that led to what is live, oldest first, each as the last deployment that made it so. A rollback takes
 * off what it went back from, so that rolling back twice goes back twice and never to what was rolled back from.
 * `ended` comes newest first, as the ledger tells it.
 */
export function goodReleases(ended: readonly DeploymentRow[]): readonly DeploymentRow[] {
  const good: DeploymentRow[] = [];
  for (const one of ended.toReversed().filter(madeLive)) {
    const before = good.findLastIndex(({ commit }) => commit === one.commit);
    // What was applied before it went back and was left is not what was applied since.
    if (one.kind === 'rollback' && before !== -1) good.splice(before, Infinity, one);
    else if (good.at(-1)?.commit === one.commit) good[good.length - 1] = one;
    else good.push(one);
  }
  return good;
}
