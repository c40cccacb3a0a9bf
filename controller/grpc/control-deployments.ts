import { FraisierError } from '../../proto/error-codes.js';
import type {
  ControlServer,
  Deployment,
  RequestDeploymentRequest,
} from '../../proto/gen/fraisier/v1/control.js';
import { answerForHosts } from '../deployments/answer-for-hosts.js';
import type { Edges } from '../deployments/edges.js';
import { previewDeployment } from '../deployments/preview-deployment.js';
import { explain } from '../deployments/explain.js';
import { requestDeployment, type DeploymentRequest } from '../deployments/request-deployment.js';
import { retryDeployment } from '../deployments/retry-deployment.js';
import { cancelDeployment, continueDeployment } from '../deployments/steer-deployment.js';
import { summarize } from '../deployments/summary.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDeployment, packExplained, packSummary } from './pack.js';

type Handlers = Pick<
  ControlServer,
  | 'requestDeployment'
  | 'retryDeployment'
  | 'previewDeployment'
  | 'cancelDeployment'
  | 'continueDeployment'
  | 'skipHosts'
  | 'getDeployment'
  | 'explain'
>;

/** Ask for, look at and steer one deployment. */
export function deploymentHandlers({ edges }: ControlEdges, gate: Gate): Handlers {
  return {
    requestDeployment: unary(gate, 'deployer', async (request, { actor }) =>
      packDeployment(await requestDeployment(edges, unpackRequest(request), actor)),
    ),
    retryDeployment: unary(gate, 'deployer', async ({ deploymentId: id, hosts, ...more }, { actor }) => {
      const request = { id, hosts, trigger: triggerOf(more), requestId: more.requestId || null };
      return packDeployment(await retryDeployment(edges, request, actor));
    }),
    previewDeployment: unary(gate, 'viewer', (request) => previewDeployment(edges, unpackRequest(request))),
    cancelDeployment: unary(gate, 'deployer', async ({ id }, { actor }) =>
      packDeployment(await cancelDeployment(edges, id, actor)),
    ),
    continueDeployment: unary(gate, 'deployer', async ({ id }, { actor }) =>
      packDeployment(await continueDeployment(edges, id, actor)),
    ),
    skipHosts: unary(gate, 'deployer', async ({ deploymentId: id, hosts }, { actor }) =>
      packDeployment(await answerForHosts(edges, id, { act: 'skip', hosts }, actor)),
    ),
    getDeployment: unary(gate, 'viewer', ({ id }) => wholeDeployment(edges, id)),
    explain: unary(gate, 'viewer', async (question) => packExplained(await explain(edges, question))),
  };
}

async function wholeDeployment(edges: Edges, id: string): Promise<Deployment> {
  const summary = await summarize(edges, id);
  if (summary !== null) return packSummary(summary);
  throw new FraisierError('unknown_deployment', `there is no deployment ${id}`, { hint: 'fraisier history' });
}

function unpackRequest(request: RequestDeploymentRequest): DeploymentRequest {
  const { fraise, environment, commit, branch, force, hosts, requestId, skipUnreachable } = request;
  if (commit !== '' && branch !== '') {
    throw new FraisierError('usage', 'a deployment is of a commit or of a branch: name one of them');
  }
  const named = { commit: commit || null, branch: branch || null, requestId: requestId || null };
  return { fraise, environment, force, hosts, skipUnreachable, trigger: triggerOf(request), ...named };
}

function triggerOf({ trigger }: { readonly trigger: string }): 'api' | 'cli' {
  return trigger === 'api' ? 'api' : 'cli';
}
