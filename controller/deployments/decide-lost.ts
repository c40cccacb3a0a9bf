import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from './reason.js';
import type { Situation } from './decide.js';
import type { RunRow } from './ledger.js';

/** Beyond the step's own limit: SIGTERM to SIGKILL, and the two clocks. */
const GRACE_MS = 15_000;

/**
 * Runs whose host has been away for so long that nothing the run started can still be going on: the
 * assignment's validity and then the limit of the step in hand have passed.
 */
export function lostRuns({ runs, hosts, now }: Situation): { run: RunRow; reason: Reason }[] {
  return runs
    .filter((run) => run.status === 'dispatched' || run.status === 'running')
    .flatMap((run) => {
      const lease = hosts.find((host) => host.name === run.host)?.leaseExpiresAt ?? run.dispatchedAt;
      const since = lease ?? run.createdAt;
      if (since > now || lostAt(run, since) > now) return [];
      return [{ run, reason: lost(run, since) }];
    });
}

/** When a run whose host has been away since then is given up. */
export function lostAt(run: RunRow, awaySince: Date): Date {
  const step = run.currentStep;
  const limit = step?.timeoutMs ?? Math.max(0, ...run.steps.map((one) => one.timeoutMs));
  const from = Math.max(awaySince.getTime(), step?.startedAt.getTime() ?? 0);
  return new Date(from + limit + GRACE_MS);
}

function lost(run: RunRow, since: Date): Reason {
  const doing =
    run.currentStep === null ? `in ${run.phase}` : `in the step ${run.currentStep.name} of ${run.phase}`;
  return reason(
    'host_lost',
    `${run.host} has been away since ${since.toISOString()}, ${doing}: what became of it is not known`,
    {
      facts: {
        host: run.host,
        phase: run.phase,
        step: run.currentStep?.name ?? '',
        since: since.toISOString(),
      },
    },
  );
}
