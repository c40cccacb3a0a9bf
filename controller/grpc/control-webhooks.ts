import { FraisierError } from '../../proto/error-codes.js';
import type { ControlServer, Webhook } from '../../proto/gen/fraisier/v1/control.js';
import { WEBHOOK_VERDICTS, type WebhookVerdict } from '../deployments/lifecycle.js';
import type { Records } from '../deployments/records.js';
import { configurationReader } from '../webhooks/current-configuration.js';
import { describeSetup } from '../webhooks/describe-setup.js';
import { replayDelivery } from '../webhooks/replay-delivery.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packDelivery, packWholeDelivery } from './pack.js';
import { pageOf } from './page.js';

type Handlers = Pick<ControlServer, 'listWebhooks' | 'getWebhook' | 'replayWebhook' | 'setupWebhook'>;

/** The ledger of deliveries, and how they come to be sent. */
export function webhookHandlers({ edges, records, webhooksAt }: ControlEdges, gate: Gate): Handlers {
  const readConfiguration = configurationReader(edges.parsed);
  return {
    listWebhooks: unary(gate, 'viewer', async ({ limit, cursor, verdict, fraise, since }) => {
      const where = { verdict: verdictOf(verdict), fraise: fraise || null, since: since ?? null };
      const { rows, next } = await records.deliveries({
        ...where,
        limit: pageOf(limit),
        cursor: cursor || null,
      });
      return { webhooks: rows.map(packDelivery), next: next ?? '' };
    }),
    getWebhook: unary(gate, 'viewer', ({ id, withBody }) => webhook(records, id, withBody)),
    replayWebhook: unary(gate, 'deployer', async ({ id }, { actor }) => {
      const made = await replayDelivery({ edges, readConfiguration }, id, actor);
      return webhook(records, made, false);
    }),
    setupWebhook: unary(gate, 'viewer', async ({ fraise }) =>
      describeSetup(await readConfiguration(edges.ledger), fraise, {
        environment: edges.environment,
        ...webhooksAt(),
      }),
    ),
  };
}

async function webhook(records: Records, id: string, withBody: boolean): Promise<Webhook> {
  const row = await records.delivery(id, withBody);
  if (row !== null) return packWholeDelivery(row);
  throw new FraisierError('unknown_webhook', `there is no webhook ${id}`, { hint: 'fraisier webhooks' });
}

function verdictOf(word: string): WebhookVerdict | null {
  const verdict = WEBHOOK_VERDICTS.find((known) => known === word) ?? null;
  if (word === '' || verdict !== null) return verdict;
  throw new FraisierError('usage', `"${word}" is no verdict: known are ${WEBHOOK_VERDICTS.join(', ')}`);
}
