import type { Preflight, Step } from '../../proto/gen/fraisier/v1/plan.js';

/** What a host is asked before anything is done there. */
export interface Asked {
  /** Whether it has anything to do at all. */
  readonly settle: boolean;
  /** Whether what is live there is healthy: it is released first then, and is none of those that must stay healthy. */
  readonly health: boolean;
}

/** The same steps, in which preflight asks first; healthy is what `release` calls so. */
export function asking(prepare: readonly Step[], release: readonly Step[], asked: Asked): Step[] {
  if (!asked.settle && !asked.health) return [...prepare];
  const checks = release.flatMap(({ action }) => (action?.$case === 'health' ? [action.value] : []));
  return withPreflight(prepare, { settle: asked.settle, look: asked.health, health: checks[0] });
}

/** The same steps, done whatever the host looks like. */
export function unasked(prepare: readonly Step[]): Step[] {
  return withPreflight(prepare, { settle: false });
}

function withPreflight(prepare: readonly Step[], asked: Partial<Preflight>): Step[] {
  return prepare.map((step) =>
    step.action?.$case === 'preflight'
      ? { ...step, action: { ...step.action, value: { ...step.action.value, ...asked } } }
      : step,
  );
}
