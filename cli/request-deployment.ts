import { randomUUID } from 'node:crypto';
import type {
  Deployment,
  RequestDeploymentRequest,
  RetryRequest,
  RollbackRequest,
} from '../proto/gen/fraisier/v1/control.js';
import { askOnce } from './ask-once.js';
import type { Control } from './client.js';
import type { PatienceLimits } from './patience.js';

type Limits = Omit<PatienceLimits, 'unknown'> & { readonly control: Control };
type Wanted<T> = Omit<T, 'requestId' | 'trigger'>;

/** Asks for a deployment, once whatever happens on the way. Throws `outcome_unknown` when it may have been heard. */
export function requestDeployment(
  limits: Limits,
  wanted: Wanted<RequestDeploymentRequest>,
): Promise<Deployment> {
  const request = { ...wanted, trigger: 'cli', requestId: randomUUID() };
  const unknown = inDoubt(wanted, 'a deployment');
  return askOnce({ ...limits, unknown }, () => limits.control.ask('requestDeployment', request));
}

/** Asks for an ended deployment to be deployed once more, in the same way. */
export function retryDeployment(limits: Limits, wanted: Wanted<RetryRequest>): Promise<Deployment> {
  const request = { ...wanted, trigger: 'cli', requestId: randomUUID() };
  const unknown = inDoubt({ fraise: '', environment: '' }, 'a deployment');
  return askOnce({ ...limits, unknown }, () => limits.control.ask('retryDeployment', request));
}

/** Asks for a rollback, in the same way. */
export function requestRollback(limits: Limits, wanted: Wanted<RollbackRequest>): Promise<Deployment> {
  const request = { ...wanted, trigger: 'cli', requestId: randomUUID() };
  const unknown = inDoubt(wanted, 'a rollback');
  return askOnce({ ...limits, unknown }, () => limits.control.ask('requestRollback', request));
}

function inDoubt(
  { fraise, environment }: { readonly fraise: string; readonly environment: string },
  what: string,
): PatienceLimits['unknown'] {
  return {
    message: `the controller went away while it was asked: whether ${what} was queued is not known`,
    hint: ['fraisier history', fraise, environment].filter(Boolean).join(' '),
  };
}
