import { FraisierError } from '../../proto/error-codes.js';
import type {
  ControlServer,
  Deployment,
  RequestDeploymentRequest,
} from '../../proto/gen/fraisier/v1/control.js';
import type { Edges } from '../deployments/edges.js';
import { previewDeployment } from '../deployments/preview-deployment.js';
import { requestDeployment, type DeploymentRequest } from '../deployments/request-deployment.js';
import { cancelDeployment, continueDeployment } from '../deployments/steer-deployment.js';
import { summarize } from '../deployments/summary.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDeployment, packSummary } from './pack.js';

type Handlers = Pick<
  ControlServer,
  'requestDeployment' | 'previewDeployment' | 'cancelDeployment' | 'continueDeployment' | 'getDeployment'
>;

/** Ask for, look at and steer one deployment. */
export function deploymentHandlers({ edges }: ControlEdges, gate: Gate): Handlers {
  return {
    requestDeployment: unary(gate, 'deployer', async (request, { actor }) =>
      packDeployment(await requestDeployment(edges, unpackRequest(request), actor)),
    ),
    previewDeployment: unary(gate, 'viewer', (request) => previewDeployment(edges, unpackRequest(request))),
    cancelDeployment: unary(gate, 'deployer', async ({ id }, { actor }) =>
      packDeployment(await cancelDeployment(edges, id, actor)),
    ),
    continueDeployment: unary(gate, 'deployer', async ({ id }, { actor }) =>
      packDeployment(await continueDeployment(edges, id, actor)),
    ),
    getDeployment: unary(gate, 'viewer', ({ id }) => wholeDeployment(edges, id)),
  };
}

async function wholeDeployment(edges: Edges, id: string): Promise<Deployment> {
  const summary = await summarize(edges, id);
  if (summary !== null) return packSummary(summary);
  throw new FraisierError('unknown_deployment', `there is no deployment ${id}`, { hint: 'fraisier history' });
}

function unpackRequest(request: RequestDeploymentRequest): DeploymentRequest {
  const { fraise, environment, commit, branch, force, hosts, requestId } = request;
  if (commit !== '' && branch !== '') {
    throw new FraisierError('usage', 'a deployment is of a commit or of a branch: name one of them');
  }
  const trigger = request.trigger === 'api' ? 'api' : 'cli';
  const named = { commit: commit || null, branch: branch || null, requestId: requestId || null };
  return { fraise, environment, force, hosts, trigger, ...named };
}
