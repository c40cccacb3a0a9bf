import { DeploymentPreview } from '../../proto/gen/fraisier/v1/control.js';
import type { Edges } from './edges.js';
import { makePlan } from './plan.js';
import { previewPlan } from './preview-deployment.js';
import { resolveRollback, type RollbackRequest } from './resolve-rollback.js';

/** The plan a rollback would be frozen to, with what each host says of it. Read-only; throws as `requestRollback`. */
export async function previewRollback(edges: Edges, request: RollbackRequest): Promise<DeploymentPreview> {
  const resolved = await resolveRollback(edges, request);
  if (resolved.undoes !== null) {
    const { id, fraise, environment, commit } = resolved.undoes;
    return DeploymentPreview.fromPartial({ fraise, environment, commit, kind: 'rollback', undoes: id });
  }
  const { environment, hosts, target, rollback } = resolved;
  const names = hosts.map(({ host }) => host);
  const madeAt = await edges.ledger.now();
  const input = { environment, commit: target.commit, ref: '', hosts: names, madeAt, rollback };
  return previewPlan(edges, environment, makePlan(input), ['prepare', 'release', 'migrate_down', 'prune']);
}
