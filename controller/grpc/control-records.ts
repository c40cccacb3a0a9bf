import type { ControlServer } from '../../proto/gen/fraisier/v1/control.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDeployment, packStats } from './pack.js';
import { pageOf } from './page.js';

type Handlers = Pick<ControlServer, 'listDeployments' | 'getStats'>;

const DEFAULT_DAYS = 30;

/** What was recorded. */
export function recordHandlers({ records }: ControlEdges, gate: Gate): Handlers {
  return {
    listDeployments: unary(gate, 'viewer', async ({ fraise, environment, limit, since, cursor }) => {
      const where = { fraise: fraise || null, environment: environment || null, since: since ?? null };
      const { rows, next } = await records.deployments({
        ...where,
        limit: pageOf(limit),
        cursor: cursor || null,
      });
      return { deployments: rows.map(packDeployment), next: next ?? '' };
    }),
    getStats: unary(gate, 'viewer', async ({ fraise, days }) =>
      packStats(await records.stats({ fraise: fraise || null, days: days || DEFAULT_DAYS })),
    ),
  };
}
