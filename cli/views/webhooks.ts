import type { ListWebhooksResponse, Webhook } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { fields, lines, table } from './table.js';
import { ago, instant, orDash, short, status } from './words.js';

/** Deliveries, newest first, each with its verdict. */
export function webhookTable({ webhooks, next }: ListWebhooksResponse, look: Look): string {
  if (webhooks.length === 0) return lines(['no deliveries']);
  const rows = webhooks.map((webhook) => [
    webhook.id,
    ago(webhook.receivedAt, look.now),
    orDash(webhook.provider),
    orDash(webhook.event),
    orDash(webhook.repository),
    orDash(webhook.branch || webhook.tag),
    short(webhook.commit),
    status(webhook.verdict, look),
    webhook.deployments.join(', ') || (webhook.reason?.message ?? ''),
  ]);
  const head = ['id', 'when', 'from', 'event', 'repository', 'ref', 'commit', 'verdict', 'what came of it'];
  return table(head, rows, look) + (next === '' ? '' : lines([`more: --cursor ${next}`]));
}

/** One delivery whole. */
export function webhookWhole(webhook: Webhook, look: Look): string {
  return (
    lines([`${look.ink.bold(webhook.id)}  ${status(webhook.verdict, look)}`]) +
    fields([
      ['why', webhook.reason?.message ?? ''],
      ['next', webhook.reason?.hint ?? ''],
      ['received', instant(webhook.receivedAt)],
      ['provider', webhook.provider],
      ['delivery', webhook.deliveryId],
      ['event', webhook.event],
      ['repository', webhook.repository],
      ['branch', webhook.branch],
      ['tag', webhook.tag],
      ['commit', webhook.commit],
      ['sender', webhook.sender],
      ['repeats', webhook.originalId],
      ['deployments', webhook.deployments.join(', ')],
    ])
  );
}
