import { randomUUID } from 'node:crypto';
import type { Deployment, RequestDeploymentRequest } from '../proto/gen/fraisier/v1/control.js';
import type { Control } from './client.js';
import { isAway, neverArrived } from './refusal.js';
import { Patience, type PatienceLimits } from './patience.js';

/**
 * Asks for a deployment. An answer lost on the way is asked for again under the same request id, so that nothing is
 * deployed twice; a controller that was never reached is an error at once. Throws `outcome_unknown` when the
 * controller went away after it may have heard.
 */
export async function requestDeployment(
  limits: Omit<PatienceLimits, 'unknown'> & { readonly control: Control },
  wanted: Omit<RequestDeploymentRequest, 'requestId' | 'trigger'>,
): Promise<Deployment> {
  const { control } = limits;
  const request = { ...wanted, trigger: 'cli', requestId: randomUUID() };
  const unknown = {
    message: 'the controller went away while it was asked: whether a deployment was queued is not known',
    hint: `fraisier history ${wanted.fraise} ${wanted.environment}`,
  };
  try {
    return await control.ask('requestDeployment', request);
  } catch (error) {
    if (!isAway(error) || neverArrived(error)) throw error;
  }
  return new Patience({ ...limits, unknown }).until(() => control.ask('requestDeployment', request));
}
