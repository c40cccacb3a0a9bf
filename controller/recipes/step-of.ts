import { Step } from '../../proto/gen/fraisier/v1/plan.js';

/** A step that may be done again after a crash; `more` says otherwise. */
export function stepOf(
  name: string,
  timeoutMs: number,
  action: NonNullable<Parameters<typeof Step.fromPartial>[0]['action']>,
  more: Partial<Pick<Step, 'repeatable' | 'mayFail' | 'afterFailure'>> = {},
): Step {
  return Step.fromPartial({ name, timeoutMs, repeatable: true, action, ...more });
}
