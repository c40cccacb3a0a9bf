import type { Assignment } from '../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../proto/gen/fraisier/v1/plan.js';

/** What a run has to itself while it works: its fraise in its environment, its path, its units. */
export function serialKeys({ target, steps }: Assignment): ReadonlySet<string> {
  const keys = new Set<string>();
  if (target !== undefined) {
    keys.add(`fraise ${target.fraise} ${target.environment}`);
    keys.add(`path ${target.appPath}`);
  }
  const jobs = target?.jobs.flatMap(({ service, timer }) => [service, timer]) ?? [];
  for (const unit of [target?.systemdService, ...jobs, ...steps.map(unitOf)]) {
    if (unit !== undefined && unit !== '') keys.add(`unit ${unit}`);
  }
  return keys;
}

function unitOf({ action }: Step): string | undefined {
  if (action?.$case === 'deactivate') return action.value.systemdService;
  if (action?.$case !== 'restart' || action.value.how?.$case !== 'systemdService') return undefined;
  return action.value.how.value;
}
