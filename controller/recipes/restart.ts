import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { hooksAt } from './hooks.js';
import { stepOf } from './step-of.js';

const UNIT_RESTART_MS = 3 * 60_000;

/**
 * Restarts what runs the code, the unit or the command that stands for it, with the hooks around it; empty when there is
 * neither. `hooks` is what is said of those.
 */
export function restart(
  environment: Environment,
  commit: string,
  hooks: Pick<Partial<Step>, 'mayFail'> = {},
): Step[] {
  const step = restartStep(environment, commit);
  if (step === null) return [];
  return [
    ...hooksAt(environment, 'before_restart', commit, hooks),
    step,
    ...hooksAt(environment, 'after_restart', commit, hooks),
  ];
}

function restartStep(
  { systemdService, systemdSocket, restartMode, restart: by }: Environment,
  commit: string,
) {
  if (systemdService !== null) {
    const how = { $case: 'systemdService', value: systemdService } as const;
    const value = { how, mode: restartMode, systemdSocket: systemdSocket ?? '' };
    return stepOf('restart', UNIT_RESTART_MS, { $case: 'restart', value });
  }
  if (by === null) return null;
  const how = { $case: 'command', value: commandOf(by, commit) } as const;
  return stepOf('restart', by.timeoutMs, { $case: 'restart', value: { how } });
}
