import { Outcome } from '../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../proto/gen/fraisier/v1/plan.js';
import type { StepEnd } from './steps/step.js';

/** What the steps that ended so far make of their run. */
export interface Standing {
  /** The first step that failed and may not: it is the run's own end, whatever comes after it. */
  readonly failure: StepEnd | null;
  /** Nothing more is begun. */
  readonly over: boolean;
}

export const AT_START: Standing = { failure: null, over: false };

/** Whether the step is to be done at all, as the run stands. */
export function isDue(step: Pick<Step, 'afterFailure'>, { failure, over }: Standing): boolean {
  return !over && (failure === null || step.afterFailure);
}

/** Folds the end of one step in. Pure, so a run taken up again from its journal stands where it stood before. */
export function afterStep(before: Standing, { mayFail }: Pick<Step, 'mayFail'>, end: StepEnd): Standing {
  switch (end.outcome) {
    case Outcome.SUCCEEDED:
      return end.result?.settled === true ? { ...before, over: true } : before;
    case Outcome.FAILED:
      return mayFail ? before : failedBy(before, end);
    case Outcome.INTERRUPTED:
      return mayFail ? before : { ...failedBy(before, end), over: true };
    case Outcome.CANCELLED:
      return { ...failedBy(before, end), over: true };
  }
}

/** How the run ends, once it is over or has no more steps. */
export function endOf({ failure }: Standing): StepEnd {
  return failure ?? { outcome: Outcome.SUCCEEDED };
}

/** The first failure stays: what fails after it is recorded as its own step's. */
function failedBy(before: Standing, end: StepEnd): Standing {
  return { ...before, failure: before.failure ?? end };
}
