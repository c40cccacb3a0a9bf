import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { stepOf } from './step-of.js';

/** Beyond the wait itself: looking, and stopping what does not mind being told to. */
const SLACK_MS = 60_000;

/** Waits for the script or the jobs that are at work; never cuts one off unless the configuration says so. */
export function awaitIdle(environment: Environment): Step[] {
  return [
    stepOf(
      'await_idle',
      environment.whileRunning.waitMs + SLACK_MS,
      idle(environment, '', environment.whileRunning.pastWait),
    ),
  ];
}

/**
 * The same on the way back. A run in progress must not stand between a host and its way back, so it is waited for and then
 * left to itself; and not even waited for where the code was never replaced. What is restarted on the way would cut it off.
 */
export function awaitIdleToUndo(environment: Environment, commit: string): Step[] {
  const restarts = environment.systemdService !== null || environment.restart !== null;
  const { pastWait, waitMs } = environment.whileRunning;
  const action = restarts ? idle(environment, '', pastWait) : idle(environment, commit, 'continue');
  return [stepOf('await_idle', waitMs + SLACK_MS, action)];
}

function idle(environment: Environment, commit: string, pastLimit: string) {
  const { jobs, script, systemdService, whileRunning } = environment;
  const units = systemdService === null ? jobs.map(({ service }) => service) : [systemdService];
  const value = {
    units,
    script: script?.path ?? '',
    limitMs: whileRunning.waitMs,
    pastLimit,
    commit,
  };
  return { $case: 'awaitIdle', value } as const;
}
