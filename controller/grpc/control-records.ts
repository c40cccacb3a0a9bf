import { FraisierError } from '../../proto/error-codes.js';
import type { ControlServer, Webhook } from '../../proto/gen/fraisier/v1/control.js';
import { WEBHOOK_VERDICTS, type WebhookVerdict } from '../deployments/lifecycle.js';
import type { Records } from '../deployments/records.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDelivery, packDeployment, packStats } from './pack.js';

type Handlers = Pick<ControlServer, 'listDeployments' | 'getStats' | 'listWebhooks' | 'getWebhook'>;

const DEFAULT_LIMIT = 20;
const LARGEST_LIMIT = 500;
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
    listWebhooks: unary(gate, 'viewer', async ({ limit, cursor, verdict }) => {
      const query = { limit: pageOf(limit), cursor: cursor || null, verdict: verdictOf(verdict) };
      const { rows, next } = await records.deliveries(query);
      return { webhooks: rows.map(packDelivery), next: next ?? '' };
    }),
    getWebhook: unary(gate, 'viewer', ({ id }) => webhook(records, id)),
  };
}

async function webhook(records: Records, id: string): Promise<Webhook> {
  const row = await records.delivery(id);
  if (row !== null) return packDelivery(row);
  throw new FraisierError('unknown_webhook', `there is no webhook ${id}`, { hint: 'fraisier webhooks' });
}

function pageOf(limit: number): number {
  return Math.min(limit || DEFAULT_LIMIT, LARGEST_LIMIT);
}

function verdictOf(word: string): WebhookVerdict | null {
  const verdict = WEBHOOK_VERDICTS.find((known) => known === word) ?? null;
  if (word === '' || verdict !== null) return verdict;
  throw new FraisierError('usage', `"${word}" is no verdict: known are ${WEBHOOK_VERDICTS.join(', ')}`);
}
