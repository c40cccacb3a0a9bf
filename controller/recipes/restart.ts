import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { stepOf } from './step-of.js';

const UNIT_RESTART_MS = 3 * 60_000;

/** Restarts what runs the code: the unit, or the command that stands for it; empty when there is neither. */
export function restart(environment: Environment, commit: string): Step[] {
  if (environment.systemdService !== null) {
    const how = { $case: 'systemdService', value: environment.systemdService } as const;
    return [stepOf('restart', UNIT_RESTART_MS, { $case: 'restart', value: { how } })];
  }
  if (environment.restart === null) return [];
  const how = { $case: 'command', value: commandOf(environment.restart, commit) } as const;
  return [stepOf('restart', environment.restart.timeoutMs, { $case: 'restart', value: { how } })];
}
