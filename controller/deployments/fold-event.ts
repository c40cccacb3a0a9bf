import {
  Outcome,
  type RunEvent,
  type StepFinished,
  type StepStarted,
} from '../../proto/gen/fraisier/v1/agent.js';
import { MigrationState, Moment, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { RunChange, RunRow } from './ledger/run.js';
import { mayMoveRun, type RunStatus } from './lifecycle.js';

/** What one event makes of a run that has not ended; or why an honest agent would not have sent it. */
export type Folded =
  | { readonly illegal: string }
  | {
      readonly to: RunStatus;
      readonly change: RunChange;
      /** The same as fields of the row, for the next event of the same batch. */
      readonly row: Partial<RunRow>;
      /** Set by the run's end: what is live on the host now, and where an in_place checkout comes from. */
      readonly live: { readonly release: string; readonly origin: string } | null;
    };

/** Folds one event into its run. Pure; `now` is the ledger's. */
export function foldEvent(run: RunRow, event: RunEvent, now: Date): Folded {
  const body = event.event;
  if (body === undefined)
    return { illegal: `sends an event of a kind this controller does not know (${run.id})` };
  if (body.$case === 'runStarted') return started(run, event.seq);
  if (run.status !== 'running')
    return { illegal: `reports ${body.$case} of ${run.id}, which is ${run.status}` };
  switch (body.$case) {
    case 'stepStarted':
      return stepStarted(run, event.seq, body.value, now);
    case 'stepNote':
      return knowsStep(run, body.value.step) ?? changed(run, { lastSeq: event.seq });
    case 'stepFinished':
      return (
        knowsStep(run, body.value.step) ??
        changed(run, { ...measured(run, body.value), lastSeq: event.seq, currentStep: null })
      );
    case 'runFinished': {
      const to = STATUS_OF[body.value.outcome];
      if (to === undefined || !mayMoveRun(run.status, to))
        return { illegal: `ends ${run.id} as ${body.value.outcome}` };
      const change = {
        reason: body.value.reason ?? null,
        liveRelease: body.value.liveRelease,
        lastSeq: event.seq,
        currentStep: null,
      };
      return {
        to,
        change: { ...change, finished: true },
        row: { ...change, status: to },
        live: { release: body.value.liveRelease, origin: body.value.origin },
      };
    }
  }
}

const STATUS_OF: Readonly<Record<Outcome, RunStatus | undefined>> = {
  [Outcome.UNSPECIFIED]: undefined,
  [Outcome.UNRECOGNIZED]: undefined,
  [Outcome.SUCCEEDED]: 'succeeded',
  [Outcome.FAILED]: 'failed',
  [Outcome.CANCELLED]: 'cancelled',
  [Outcome.INTERRUPTED]: 'interrupted',
};

function started(run: RunRow, seq: number): Folded {
  if (run.status !== 'dispatched')
    return { illegal: `reports the start of ${run.id}, which is ${run.status}` };
  const change = { lastSeq: seq };
  return {
    to: 'running',
    change: { ...change, started: true },
    row: { ...change, status: 'running' },
    live: null,
  };
}

function stepStarted(run: RunRow, seq: number, { step }: StepStarted, now: Date): Folded {
  const planned = run.steps.find((one) => one.name === step);
  if (planned === undefined) return { illegal: `starts the step ${step}, which ${run.id} has not` };
  return changed(run, {
    lastSeq: seq,
    currentStep: { name: step, startedAt: now, timeoutMs: planned.timeoutMs },
    ...(isMigration(planned) ? { migration: BEGUN } : {}),
  });
}

function knowsStep(run: RunRow, step: string): Folded | null {
  return run.steps.some((one) => one.name === step)
    ? null
    : { illegal: `reports on the step ${step}, which ${run.id} has not` };
}

/** What later phases need of what a step found out. */
function measured(
  run: RunRow,
  { outcome, result, step }: StepFinished,
): Pick<RunChange, 'previousRelease' | 'previousProvenGood' | 'migration' | 'settled' | 'unhealthy'> {
  if (outcome !== Outcome.SUCCEEDED || result === undefined) return {};
  return {
    ...(step === 'preflight'
      ? {
          previousRelease: result.previousRelease,
          previousProvenGood: result.previousProvenGood,
          settled: result.settled,
          unhealthy: result.unhealthy,
        }
      : {}),
    ...(result.migration === undefined ? {} : migration(run, step, result.migration)),
  };
}

/**
 * A look behind a migration that was never begun tells nothing about it: who knows what else was done there meanwhile.
 * What is measured behind one that was begun is marked as such.
 */
function migration(run: RunRow, step: string, state: MigrationState): Pick<RunChange, 'migration'> {
  const looked = run.steps.findIndex(({ name }) => name === step);
  if (!run.steps.slice(0, looked).some(isMigration)) return { migration: state };
  const begun = (run.migration?.moment ?? Moment.UNSPECIFIED) !== Moment.UNSPECIFIED;
  return begun ? { migration: { ...state, moment: Moment.AFTER } } : {};
}

function isMigration({ action }: Step): boolean {
  return action?.$case === 'migrate';
}

/** From here on, what was measured before says nothing any more. */
const BEGUN = MigrationState.fromPartial({ moment: Moment.BEGUN });

type Plain = Omit<RunChange, 'dispatched' | 'started' | 'finished'>;

function changed(run: RunRow, change: Plain): Folded {
  return { to: run.status, change, row: change as Partial<RunRow>, live: null };
}
