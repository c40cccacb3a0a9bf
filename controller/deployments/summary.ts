import { Outcome, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from './reason.js';
import type { Ledger } from './ledger.js';
import type { Answer, DeploymentRow } from './ledger/deployment.js';
import type { StoredEvent } from './ledger/report.js';
import type { RunRow } from './ledger/run.js';
import { runHasEnded, type RunPhase, type RunStatus, type StepStatus } from './lifecycle.js';

/** One deployment whole, as every screen tells it. */
export interface DeploymentSummary {
  readonly deployment: DeploymentRow;
  readonly hosts: readonly HostSummary[];
}

/** Phase and status are those of the host's latest run. */
export interface HostSummary {
  readonly host: string;
  readonly phase: RunPhase | null;
  readonly status: RunStatus | null;
  readonly oldVersion: string | null;
  readonly newVersion: string | null;
  readonly reason: Reason | null;
  readonly steps: readonly StepSummary[];
  /** What the host reported after its run's end was frozen. */
  readonly lateReports: readonly string[];
}

export interface StepSummary {
  readonly phase: RunPhase;
  readonly name: string;
  readonly status: StepStatus;
  readonly attempts: number;
  readonly durationMs: number | null;
  readonly reason: Reason | null;
}

const STEP_STATUS: Readonly<Record<Outcome, StepStatus>> = {
  [Outcome.UNSPECIFIED]: 'interrupted',
  [Outcome.UNRECOGNIZED]: 'interrupted',
  [Outcome.SUCCEEDED]: 'succeeded',
  [Outcome.FAILED]: 'failed',
  [Outcome.CANCELLED]: 'cancelled',
  [Outcome.INTERRUPTED]: 'interrupted',
};

/** Folds the rows of a deployment into what is shown of it. Pure: history, status and screens cannot disagree. */
export function summarizeRows(
  deployment: DeploymentRow,
  runs: readonly RunRow[],
  events: readonly StoredEvent[],
): DeploymentSummary {
  const names = deployment.plan?.hosts.map((host) => host.host) ?? [...new Set(runs.map((run) => run.host))];
  const byRun = new Map<string, RunEvent[]>();
  for (const { runId, event } of events) byRun.set(runId, [...(byRun.get(runId) ?? []), event]);
  return {
    deployment,
    hosts: names.map((host) =>
      hostSummary(
        host,
        runs.filter((run) => run.host === host),
        byRun,
        deployment.answers.find((answer) => answer.host === host && answer.act === 'skip'),
      ),
    ),
  };
}

function hostSummary(
  host: string,
  runs: readonly RunRow[],
  events: ReadonlyMap<string, readonly RunEvent[]>,
  skipped: Answer | undefined,
): HostSummary {
  const last = runs.at(-1);
  const live = runs.filter((run) => run.liveRelease !== null).at(-1)?.liveRelease ?? null;
  return {
    host,
    phase: last?.phase ?? null,
    status: last?.status ?? null,
    oldVersion: blankIsNull(runs.find((run) => run.previousRelease !== null)?.previousRelease ?? null),
    newVersion: blankIsNull(live),
    reason: skipped === undefined ? (last?.reason ?? null) : skippedBy(skipped),
    steps: runs.flatMap((run) => stepsOf(run, events.get(run.id) ?? [])),
    lateReports: runs.flatMap((run) => lateReports(run, events.get(run.id) ?? [])),
  };
}

function skippedBy({ by, host }: Answer): Reason {
  return reason('hosts_skipped', `${by} left it out`, { facts: { by, host } });
}

function stepsOf(run: RunRow, events: readonly RunEvent[]): StepSummary[] {
  return run.steps.map((step) => {
    const summary: StepSummary = {
      phase: run.phase,
      name: step.name,
      status: 'pending',
      attempts: 0,
      durationMs: null,
      reason: null,
    };
    return settled(
      run,
      events.reduce((sofar, event) => foldStep(sofar, event), summary),
    );
  });
}

function foldStep(step: StepSummary, { event }: RunEvent): StepSummary {
  if (event?.$case === 'stepStarted' && event.value.step === step.name) {
    return { ...step, status: 'running', attempts: event.value.attempt, durationMs: null, reason: null };
  }
  if (event?.$case === 'stepFinished' && event.value.step === step.name) {
    const { outcome, durationMs, reason } = event.value;
    return { ...step, status: STEP_STATUS[outcome], durationMs, reason: reason ?? null };
  }
  return step;
}

/** A run that is over leaves no step pending or running. */
function settled(run: RunRow, step: StepSummary): StepSummary {
  if (!runHasEnded(run.status)) return step;
  if (step.status === 'pending') return { ...step, status: 'skipped' };
  if (step.status === 'running') return { ...step, status: 'interrupted', reason: run.reason };
  return step;
}

function lateReports(run: RunRow, events: readonly RunEvent[]): string[] {
  if (run.status !== 'lost' && run.status !== 'interrupted') return [];
  const end = events.map(({ event }) => event).find((event) => event?.$case === 'runFinished');
  if (end?.$case !== 'runFinished') return [];
  const outcome = STEP_STATUS[end.value.outcome];
  if (outcome === run.status) return [];
  const live = end.value.liveRelease === '' ? 'nothing' : end.value.liveRelease;
  return [
    `${run.phase} was recorded ${run.status}; the host reported later that it ${outcome}, with ${live} live`,
  ];
}

function blankIsNull(text: string | null): string | null {
  return text === '' ? null : text;
}

/** Reads a deployment and folds it; null when there is none. */
export async function summarize(
  { ledger }: { readonly ledger: Ledger },
  id: string,
): Promise<DeploymentSummary | null> {
  const deployment = await ledger.deployment(id);
  if (deployment === null) return null;
  return summarizeRows(deployment, await ledger.runsOf(id), await allEvents(ledger, id));
}

const PAGE = 1000;

async function allEvents(ledger: Ledger, id: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let after = 0;
  for (;;) {
    const page = await ledger.eventsOf(id, after, PAGE);
    events.push(...page);
    const last = page[PAGE - 1];
    if (last === undefined) return events;
    after = last.number;
  }
}
