import { milliseconds } from './build-command.js';
import type { BatchSize, HostCount, Rollout } from './fraises.js';
import type { WrittenRollout } from './schema-rollout.js';

/** The rollout with its defaults. */
export function buildRollout(written: WrittenRollout): Rollout {
  return {
    strategy: written.strategy ?? 'rolling',
    batch: [written.batch ?? 1].flat() as BatchSize[],
    canary: written.canary ?? 0,
    bakeMs: milliseconds(written.bake, 0),
    zones: written.zones ?? [],
    maxFailures: (written.max_failures ?? 0) as HostCount,
    minHealthy: (written.min_healthy ?? 0) as HostCount,
    progressMs: milliseconds(written.progress_deadline, 0),
    catchUp: written.catch_up ?? false,
    onFailure: written.on_failure ?? 'rollback',
  };
}
