import type { ControlServer } from '../../proto/gen/fraisier/v1/control.js';
import { PROTOCOL_VERSION } from '../../proto/protocol-version.js';
import { applyConfiguration } from '../deployments/apply-configuration.js';
import { environmentStatus, type EnvironmentLook } from '../deployments/environment-status.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import { deploymentHasEnded } from '../deployments/lifecycle.js';
import { listFraises } from '../deployments/list-fraises.js';
import type { Identify } from './authenticate.js';
import { streaming, unary, type Gate } from './calls.js';
import { agentHandlers } from './control-agents.js';
import { deploymentHandlers } from './control-deployments.js';
import type { ControlEdges } from './control-edges.js';
import { lockHandlers } from './control-locks.js';
import { recordHandlers } from './control-records.js';
import { rollbackHandlers } from './control-rollback.js';
import { webhookHandlers } from './control-webhooks.js';
import { streamLogs } from './logs.js';
import { packEnvironment } from './pack.js';
import { watchDeployment } from './watch.js';

/** The service of people and CI: each handler unpacks, calls one function and packs. */
export function controlService(deps: ControlEdges, identify: Identify): ControlServer {
  const { edges, version } = deps;
  const gate: Gate = { ...deps, identify };
  return {
    ...deploymentHandlers(deps, gate),
    ...rollbackHandlers(deps, gate),
    ...lockHandlers(deps, gate),
    ...recordHandlers(deps, gate),
    ...webhookHandlers(deps, gate),
    ...agentHandlers(deps, gate),
    whoAmI: unary(gate, 'viewer', (_request, { actor: { name, role } }) =>
      Promise.resolve({ name, role, controllerVersion: version, protocolVersion: PROTOCOL_VERSION }),
    ),
    applyConfiguration: unary(gate, 'admin', (request, { actor }) =>
      applyConfiguration(edges, request, actor),
    ),
    listFraises: unary(gate, 'viewer', async () => ({ fraises: await listFraises(edges) })),
    getStatus: unary(gate, 'viewer', async (where) => {
      const looks = await environmentStatus(edges, where);
      const environments = looks.map(async (look) => packEnvironment(look, await lastEnded(deps, look)));
      return { environments: await Promise.all(environments) };
    }),
    watch: streaming(gate, 'viewer', ({ deploymentId, after }, signal) =>
      watchDeployment(edges, deploymentId, after, signal),
    ),
    logs: streaming(gate, 'viewer', (request, signal) => streamLogs(deps, request, signal)),
  };
}

/** The newest deployment of an environment that is over, however it ended. */
async function lastEnded(
  { records }: ControlEdges,
  look: EnvironmentLook,
): Promise<DeploymentRow | undefined> {
  const { fraise, environment, unfinished } = look;
  const newest = { fraise, environment, limit: unfinished.length + 1, since: null, cursor: null };
  const { rows } = await records.deployments(newest);
  return rows.find((row) => deploymentHasEnded(row.status));
}
