import { databaseSteps } from './database.js';
import { health } from './health.js';
import { activateCode, prepareCode, pruneCode } from './code.js';
import type { Recipe } from './recipe.js';
import { restart } from './restart.js';

/**
 * A web service: staged beside the live release, migrated once, then released host by host behind its health check.
 * Everything but the migration may be done again after a crash.
 */
export const api: Recipe = {
  prepare: prepareCode,
  ...databaseSteps,
  release: (environment, commit) => [
    ...activateCode(commit),
    ...restart(environment, commit),
    ...health(environment.healthCheck, commit),
  ],
  undo: (environment, commit) => api.release(environment, commit),
  prune: pruneCode,
};
