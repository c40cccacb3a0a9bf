import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from './reason.js';
import type { Situation } from './decide.js';
import type { RunRow } from './ledger/run.js';
import { planOf } from './runs-of-deployment.js';

/** Beyond the step's own limit: SIGTERM to SIGKILL, and the two clocks. */
const GRACE_MS = 15_000;

/** How long a host that is here may take to say that it has stopped what it had not begun. */
const ANSWER_MS = 60_000;

type Judged = { readonly run: RunRow; readonly reason: Reason };

/** Runs that are lost, and those that are to be stopped because they were not begun. None while hosts may still be on their way. */
export function givenUp(situation: Situation): Readonly<Record<'lose' | 'cancel', readonly Judged[]>> {
  if (situation.isGathering === true) return { lose: [], cancel: [] };
  return { lose: lostRuns(situation), cancel: lateRuns(situation) };
}

/**
 * Runs of which nothing more will be heard: their host has been away for so long that nothing the run started and must not
 * repeat can still be going on (the assignment's validity and then the limit of the step in hand have passed), or it
 * is here, was told to stop the run before it began, and did not answer.
 */
function lostRuns({ runs, hosts, now }: Situation): readonly Judged[] {
  return runs
    .filter((run) => run.status === 'dispatched' || run.status === 'running')
    .flatMap((run) => {
      const host = hosts.find(({ name }) => name === run.host);
      const since = host?.leaseExpiresAt ?? run.dispatchedAt ?? run.createdAt;
      if (since > now) return isUnanswered(run, now) ? [{ run, reason: unanswered(run) }] : [];
      if (goneAt(run, later(since, host?.validUntil ?? since)) > now) return [];
      return [{ run, reason: lost(run, since) }];
    });
}

/**
 * Runs that were sent to a host and not begun within the limit of a whole deployment: the agent cannot, e.g. its disk is full,
 * or they wait for their turn. They are to be stopped, so that none is given up here and carried out there.
 */
function lateRuns({ deployment, runs, now }: Situation): readonly Judged[] {
  const { timeoutMs } = planOf(deployment);
  return runs
    .filter(({ status, cancelAskedAt }) => status === 'dispatched' && cancelAskedAt === null)
    .filter((run) => now.getTime() > Number(run.dispatchedAt) + timeoutMs + GRACE_MS)
    .map((run) => ({ run, reason: late(run, timeoutMs) }));
}

function isUnanswered({ status, cancelAskedAt }: RunRow, now: Date): boolean {
  return (
    status === 'dispatched' && cancelAskedAt !== null && now.getTime() > cancelAskedAt.getTime() + ANSWER_MS
  );
}

function late({ host, phase }: RunRow, limitMs: number): Reason {
  return reason('host_lost', `the agent on ${host} did not begin ${phase} within ${limitMs / 1000} s`, {
    hint: `journalctl -u fraisier-agent (on ${host})`,
    facts: { host, phase },
  });
}

function unanswered({ host, phase }: RunRow): Reason {
  const message = `the agent on ${host} was told to stop ${phase}, which it had not begun, and did not answer within ${ANSWER_MS / 1000} s`;
  return reason('host_lost', message, {
    hint: `journalctl -u fraisier-agent (on ${host})`,
    facts: { host, phase },
  });
}

/** When a run is given up that its host could count on until `valid`. */
export function goneAt(run: RunRow, valid: Date): Date {
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
