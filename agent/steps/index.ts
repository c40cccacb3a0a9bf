import { FraisierError } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { activate } from './activate.js';
import { command } from './command.js';
import { deactivate } from './deactivate.js';
import { failed } from './ends.js';
import { fetch } from './fetch.js';
import { health } from './health.js';
import { migrate } from './migrate.js';
import { migrationStatus } from './migration-status.js';
import { preflight } from './preflight.js';
import { prune } from './prune.js';
import { restart } from './restart.js';
import { stage } from './stage.js';
import type { StepContext, StepEnd } from './step.js';

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
    case 'activate':
      return activate(action.value, context);
    case 'restart':
      return restart(action.value, context);
    case 'health':
      return health(action.value, context);
    case 'deactivate':
      return deactivate(action.value, context);
    case 'prune':
      return prune(action.value, context);
    case 'backup':
    case 'script':
    case 'awaitIdle':
    case 'unitFiles':
    case 'timers':
    case undefined:
      return Promise.resolve(
        failed('protocol_violation', `this agent does not know what the step ${name} is`, {
          hint: 'upgrade the agent',
        }),
      );
  }
}

export { checkPolicy } from './check-policy.js';
export { liveRelease } from './release-layout.js';
