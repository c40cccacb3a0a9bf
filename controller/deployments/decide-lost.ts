import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from './reason.js';
import type { Situation } from './decide.js';
import type { RunRow } from './ledger.js';
import { planOf } from './runs-of-deployment.js';

/** Beyond the step's own limit: SIGTERM to SIGKILL, and the two clocks. */
const GRACE_MS = 15_000;

/**
 * Runs whose host has been away for so long that nothing the run started and must not repeat can still be going on:
 * the assignment's validity and then the limit of the step in hand have passed.
 */
export function lostRuns({ deployment, runs, hosts, now }: Situation): { run: RunRow; reason: Reason }[] {
  return runs
    .filter((run) => run.status === 'dispatched' || run.status === 'running')
    .flatMap((run) => {
      const { timeoutMs } = planOf(deployment);
      const host = hosts.find(({ name }) => name === run.host);
      const since = host?.leaseExpiresAt ?? run.dispatchedAt ?? run.createdAt;
      if (since > now) {
        return isNeverTakenOn(run, timeoutMs, now) ? [{ run, reason: neverTakenOn(run, timeoutMs) }] : [];
      }
      if (lostAt(run, later(since, host?.validUntil ?? since)) > now) return [];
      return [{ run, reason: lost(run, since) }];
    });
}

/** Sent again and again, and never begun within the limit of a whole deployment: the agent cannot, e.g. its disk is full. */
function isNeverTakenOn({ status, dispatchedAt }: RunRow, limitMs: number, now: Date): boolean {
  return status === 'dispatched' && now.getTime() > Number(dispatchedAt) + limitMs + GRACE_MS;
}

function neverTakenOn({ host, phase }: RunRow, limitMs: number): Reason {
  return reason('host_lost', `the agent on ${host} did not begin ${phase} within ${limitMs / 1000} s`, {
    hint: `journalctl -u fraisier-agent (on ${host})`,
    facts: { host, phase },
  });
}

/** When a run is given up that its host could count on until `valid`. */
function lostAt(run: RunRow, valid: Date): Date {
  const from = Math.max(valid.getTime(), run.currentStep?.startedAt.getTime() ?? 0);
  return new Date(from + limitOf(run) + GRACE_MS);
}

/**
 * Of the step in hand, or of a later one that must not be repeated: while the assignment was still valid the host
 * may have gone on to it without being heard.
 */
function limitOf({ currentStep, steps }: RunRow): number {
  if (currentStep === null) return Math.max(0, ...steps.map((step) => step.timeoutMs));
  const at = steps.findIndex((step) => step.name === currentStep.name);
  const fenced = steps.slice(at + 1).filter((step) => !step.repeatable);
  return Math.max(currentStep.timeoutMs, ...fenced.map((step) => step.timeoutMs));
}

function later(one: Date, other: Date): Date {
  return one > other ? one : other;
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
