import type { Step } from '../../proto/gen/fraisier/v1/plan.js';

/** The same steps, in which preflight asks first whether the host has anything to do; healthy is what `release` calls so. */
export function askSettled(prepare: readonly Step[], release: readonly Step[]): Step[] {
  const checks = release.flatMap(({ action }) => (action?.$case === 'health' ? [action.value] : []));
  return prepare.map((step) =>
    step.action?.$case === 'preflight'
      ? {
          ...step,
          action: { ...step.action, value: { ...step.action.value, settle: true, health: checks[0] } },
        }
      : step,
  );
}

/** The same steps, done whatever the host looks like. */
export function unasked(prepare: readonly Step[]): Step[] {
  return prepare.map((step) =>
    step.action?.$case === 'preflight'
      ? { ...step, action: { ...step.action, value: { ...step.action.value, settle: false } } }
      : step,
  );
}
