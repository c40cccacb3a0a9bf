import { Command, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment, HookPoint } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { stepOf } from './step-of.js';

/**
 * What the user hooked in at a point, to run in the tree of `commit`; empty: there is no tree yet, and it runs in
 * app_path. Done once and never again, unless the hook itself says that it may be.
 */
export function hooksAt(
  { hooks }: Pick<Environment, 'hooks'>,
  point: HookPoint,
  commit: string,
  more: Pick<Partial<Step>, 'mayFail'> = {},
): Step[] {
  return (hooks[point] ?? []).map((hook, at) => {
    const { environment, repeatable, timeoutMs } = hook;
    const value = Command.fromPartial({ ...commandOf(hook, commit), environment, hook: point });
    const name = at === 0 ? `hook_${point}` : `hook_${point}_${at + 1}`;
    return stepOf(name, timeoutMs, { $case: 'command', value }, { repeatable, ...more });
  });
}

/** Whether the step is a hook of this point. */
export function isHookAt(point: HookPoint, { action }: Step): boolean {
  return action?.$case === 'command' && action.value.hook === point;
}
