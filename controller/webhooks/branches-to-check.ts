import type { Configuration, Environment } from '../fraises/fraises.js';
import { allEnvironments } from '../fraises/fraises.js';
import { repositoryKey } from '../fraises/repository-key.js';
import { branchesOf } from './route.js';

/** A branch that is looked at for pushes that no delivery told, and what is deployed from it. */
export interface WatchedBranch {
  readonly repository: string;
  readonly branch: string;
  /** Those that want it looked at; never empty. */
  readonly environments: readonly [Environment, ...Environment[]];
  /** The shortest that any of them wants. */
  readonly everyMs: number;
}

/** Branches by name only: what a pattern stands for cannot be asked. A fraise without a repository is left out. */
export function branchesToCheck(configuration: Configuration): readonly WatchedBranch[] {
  const found = new Map<string, WatchedBranch>();
  for (const environment of allEnvironments(configuration)) {
    const { repository, missedPushCheckMs: everyMs } = environment;
    if (repository === null || everyMs === null) continue;
    for (const branch of branchesOf(configuration, environment).filter((one) => !/[*?]/.test(one))) {
      const key = `${repositoryKey(repository)} ${branch}`;
      const before = found.get(key);
      found.set(key, {
        repository,
        branch,
        environments: before === undefined ? [environment] : [...before.environments, environment],
        everyMs: Math.min(everyMs, before?.everyMs ?? everyMs),
      });
    }
  }
  return [...found.values()];
}
