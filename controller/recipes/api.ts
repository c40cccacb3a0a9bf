import { health } from './health.js';
import { activateCode, prepareCode, pruneCode } from './code.js';
import { hooksAt } from './hooks.js';
import type { Recipe } from './recipe.js';
import { restart } from './restart.js';

/** Nothing that a user hooked in may stand between a host and its way back. */
const MAY_FAIL = { mayFail: true };

/**
 * A web service: staged beside the live release, migrated once, then released host by host behind its health check.
 * Everything but the migration may be done again after a crash.
 */
export const api: Recipe = {
  prepare: prepareCode,
  release: (environment, commit) => [
    ...hooksAt(environment, 'before_activate', commit),
    ...activateCode(environment, commit),
    ...restart(environment, commit),
    ...health(environment.healthCheck, commit),
    ...hooksAt(environment, 'after_health', commit),
  ],
  undo: (environment, commit) => [
    ...hooksAt(environment, 'on_failure', commit, MAY_FAIL),
    ...activateCode(environment, commit),
    ...restart(environment, commit, MAY_FAIL),
    ...health(environment.healthCheck, commit),
    ...hooksAt(environment, 'on_rollback', commit, MAY_FAIL),
  ],
  prune: pruneCode,
};
