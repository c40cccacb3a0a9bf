import type { ControlServer, RollbackRequest as Asked } from '../../proto/gen/fraisier/v1/control.js';
import { previewRollback } from '../deployments/preview-rollback.js';
import { requestRollback } from '../deployments/request-rollback.js';
import type { RollbackRequest } from '../deployments/resolve-rollback.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDeployment } from './pack.js';

type Handlers = Pick<ControlServer, 'requestRollback' | 'previewRollback'>;

/** Back to a release that was good. */
export function rollbackHandlers({ edges }: ControlEdges, gate: Gate): Handlers {
  return {
    requestRollback: unary(gate, 'deployer', async (request, { actor }) =>
      packDeployment(await requestRollback(edges, unpack(request), actor)),
    ),
    previewRollback: unary(gate, 'viewer', (request) => previewRollback(edges, unpack(request))),
  };
}

function unpack({ requestId, trigger, ...request }: Asked): RollbackRequest {
  return { ...request, trigger: trigger === 'api' ? 'api' : 'cli', requestId: requestId || null };
}
