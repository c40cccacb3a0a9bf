import type { ListDeploymentsResponse } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { lines, table } from './table.js';
import { ago, orDash, short, span, status } from './words.js';

/** Past deployments, newest first; the last line says when there are more. */
export function historyTable({ deployments, next }: ListDeploymentsResponse, look: Look): string {
  if (deployments.length === 0) return lines(['no deployments']);
  const rows = deployments.map((deployment) => [
    deployment.id,
    `${deployment.fraise} → ${deployment.environment}`,
    status(deployment.status, look),
    short(deployment.newVersion || deployment.commit),
    deployment.kind,
    orDash(deployment.requestedBy || deployment.trigger),
    ago(deployment.createdAt, look.now),
    deployment.durationMs === undefined ? '-' : span(deployment.durationMs),
    deployment.reason?.message ?? '',
  ]);
  const head = ['id', 'what', 'status', 'version', 'kind', 'by', 'when', 'took', 'why'];
  return table(head, rows, look) + (next === '' ? '' : lines([`more: --cursor ${next}`]));
}
