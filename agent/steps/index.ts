import { FraisierError } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { activate } from './activate.js';
import { awaitIdle } from './await-idle.js';
import { backup } from './backup.js';
import { command } from './command.js';
import { deactivate } from './deactivate.js';
import { failed } from './ends.js';
import { fetch } from './fetch.js';
import { health } from './health.js';
import { migrate } from './migrate.js';
import { migrationStatus } from './migration-status.js';
import { installedJobs } from './installed-units.js';
import { preflight } from './preflight.js';
import { prove } from './prove.js';
import { prune } from './prune.js';
import { restart } from './restart.js';
import { script } from './script.js';
import { stage } from './stage.js';
import type { StepContext, StepEnd } from './step.js';
import { timers } from './timers.js';
import { unitFiles } from './unit-files.js';

/** Does what the step says. A step that fails is a result; what is thrown is a broken agent, or the abort of `signal`. */
export async function runStep({ action, name }: Step, context: StepContext): Promise<StepEnd> {
  try {
    return await act(action, name, context);
  } catch (error) {
    if (error instanceof FraisierError && !context.signal.aborted)
      return { outcome: Outcome.FAILED, reason: error.reason };
    throw error;
  }
}

function act(action: Step['action'], name: string, context: StepContext): Promise<StepEnd> {
  switch (action?.$case) {
    case 'preflight':
      return preflight(action.value, context);
    case 'fetch':
      return fetch(action.value, context);
    case 'stage':
      return stage(action.value, context);
    case 'command':
      return command(action.value, context);
    case 'migrationStatus':
      return migrationStatus(action.value, context);
    case 'migrate':
      return migrate(action.value, context);
    case 'backup':
      return backup(action.value, context);
    case 'activate':
      return activate(action.value, context);
    case 'restart':
      return restart(action.value, context);
    case 'health':
      return withJobs(context).then((known) => health(action.value, known));
    case 'deactivate':
      return deactivate(action.value, context);
    case 'prune':
      return prune(action.value, context);
    case 'script':
      return script(action.value, context);
    case 'awaitIdle':
      return awaitIdle(action.value, context);
    case 'unitFiles':
      return unitFiles(action.value, context);
    case 'timers':
      return timers(action.value, context);
    case 'prove':
      return prove(action.value, context);
    case undefined:
      return Promise.resolve(
        failed('protocol_violation', `this agent does not know what the step ${name} is`, {
          hint: 'upgrade the agent',
        }),
      );
  }
}

/** Its jobs are those in place: after a way back they are not those of the plan. */
async function withJobs(context: StepContext): Promise<StepContext> {
  const jobs = await installedJobs(context.stateFolder, context.target);
  return { ...context, target: { ...context.target, jobs } };
}

export { checkPolicy } from './check-policy.js';
export { liveRelease } from './release-layout.js';
