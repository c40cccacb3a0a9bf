import { FraisierError } from '../../proto/error-codes.js';
import type { Actor, Edges } from './edges.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { deploymentHasEnded } from './lifecycle.js';
import { answerForHosts } from './answer-for-hosts.js';
import { madeBefore, requestDeployment, type DeploymentRequest } from './request-deployment.js';

export interface RetryRequest extends Pick<DeploymentRequest, 'hosts' | 'trigger' | 'requestId'> {
  readonly id: string;
}

/**
 * Queues what an ended deployment deployed once more, under the configuration of now: a new one of kind `retry` that names
 * it. Of a paused one, says that what failed on these hosts is to be done again. Throws as `requestDeployment` or `answerForHosts`, and
 * `unknown_deployment`, or `not_steerable` for one that has not ended or is a rollback.
 */
export async function retryDeployment(
  edges: Edges,
  { id, ...request }: RetryRequest,
  actor: Actor,
): Promise<DeploymentRow> {
  const made = await madeBefore(edges.ledger, request.requestId, actor);
  if (made !== null) return made;
  const origin = await edges.ledger.deployment(id);
  if (origin === null)
    throw new FraisierError('unknown_deployment', `there is no deployment ${id}`, {
      hint: 'fraisier history',
    });
  if (origin.status === 'paused' && request.hosts.length > 0)
    return answerForHosts(edges, id, { act: 'retry', hosts: request.hosts }, actor);
  refuseUnlessRetriable(origin);
  const { fraise, environment, commit } = origin;
  const wanted = { ...request, fraise, environment, commit, branch: null, force: false };
  return requestDeployment(edges, wanted, actor, { retries: id });
}

function refuseUnlessRetriable({ id, fraise, environment, status, kind }: DeploymentRow): void {
  if (!deploymentHasEnded(status))
    throw new FraisierError('not_steerable', `cannot retry ${id}: it is ${status}`, {
      hint: `fraisier why ${id}`,
      facts: { status },
    });
  if (kind === 'rollback')
    throw new FraisierError('not_steerable', `cannot retry ${id}: it is a rollback`, {
      hint: `fraisier rollback ${fraise} ${environment}`,
      facts: { status },
    });
}
