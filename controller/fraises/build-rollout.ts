import { milliseconds } from './build-command.js';
import type { BatchSize, Rollout } from './fraises.js';
import type { WrittenRollout } from './schema-rollout.js';

/** The rollout with its defaults. */
export function buildRollout(written: WrittenRollout): Rollout {
  return {
    strategy: written.strategy ?? 'rolling',
    batch: [written.batch ?? 1].flat() as BatchSize[],
    canary: written.canary ?? 0,
    bakeMs: milliseconds(written.bake, 0),
    maxFailures: written.max_failures ?? 0,
    onFailure: written.on_failure ?? 'rollback',
  };
}
