import type { RunEvent, RunFinished, StepFinished } from '../proto/gen/fraisier/v1/agent.js';

/** What a journal says about the last attempt of a step. */
export interface StepTrace {
  readonly attempt: number;
  readonly bootId: string;
  readonly startedAt: Date;
  /** Null: begun, and no end was journaled. */
  readonly finished: StepFinished | null;
}

/** What a journal says about its run. */
export interface RunTrace {
  readonly started: boolean;
  readonly finished: RunFinished | null;
  readonly steps: ReadonlyMap<string, StepTrace>;
}

/** The one reading of a journal: where its run stands. */
export function traceOf(events: readonly RunEvent[]): RunTrace {
  let started = false;
  let finished: RunFinished | null = null;
  const steps = new Map<string, StepTrace>();
  for (const { event, at } of events) {
    if (event?.$case === 'runStarted') started = true;
    if (event?.$case === 'runFinished') finished = event.value;
    if (event?.$case === 'stepStarted') {
      const { step, attempt, bootId } = event.value;
      steps.set(step, { attempt, bootId, startedAt: at ?? new Date(0), finished: null });
    }
    if (event?.$case === 'stepFinished') {
      const before = steps.get(event.value.step);
      if (before !== undefined) steps.set(event.value.step, { ...before, finished: event.value });
    }
  }
  return { started, finished, steps };
}
