import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Situation } from './decide.js';
import { forwardPhases } from './decide-rollback.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { failureOf } from './reason.js';
import {
  endedBadly,
  hostsOf,
  isToRedo,
  planOf,
  skippedHosts,
  type LatestRuns,
} from './runs-of-deployment.js';

/** The runs by which hosts failed, the first one first; those of hosts that somebody skipped do not count. */
export function failures(deployment: DeploymentRow, latest: LatestRuns): readonly RunRow[] {
  const phases = forwardPhases(deployment);
  const skipped = skippedHosts(deployment);
  return latest.all
    .filter((run) => phases.includes(run.phase) && endedBadly(run) && !isToRedo(deployment, run))
    .filter(({ host }) => !skipped.includes(host))
    .sort((a, b) => Number(a.finishedAt) - Number(b.finishedAt));
}

/**
 * Whether a rollout goes on though these failed: on no more hosts than may, all of them counted, and never on the last one. Without
 * what the migration needs nothing goes on, and a rollback never does.
 */
export function isTolerated({ deployment }: Situation, failed: readonly RunRow[]): boolean {
  if (failed.length === 0) return true;
  const plan = planOf(deployment);
  if (deployment.kind === 'rollback' || failed.some((run) => isForAll(run, plan.migratingHost))) return false;
  const out = new Set([...failed.map(({ host }) => host), ...skippedHosts(deployment)]);
  const count = new Set(failed.map(({ host }) => host)).size;
  return count <= plan.maxFailures && hostsOf(plan).some((host) => !out.has(host));
}

/** Whether no host can go on without it. */
export function isForAll({ phase, host }: RunRow, migratingHost: string): boolean {
  return phase === 'migrate' || (phase === 'prepare' && host === migratingHost);
}

/** The first of them is the reason; where some may fail, all are named. */
export function tooManyFailed([first, ...more]: readonly [RunRow, ...RunRow[]], maxFailures: number): Reason {
  const why = failureOf(first);
  if (maxFailures === 0) return why;
  const hosts = [...new Set([first, ...more].map(({ host }) => host))];
  return {
    ...why,
    message: `${why.message}; failed on ${hosts.join(', ')} (max_failures: ${maxFailures})`,
    facts: { ...why.facts, failed: hosts.join(' '), max_failures: String(maxFailures) },
  };
}
