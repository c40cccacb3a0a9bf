import type { ListWebhooksResponse, Webhook } from '../../proto/gen/fraisier/v1/control.js';
import { withoutControls } from '../for-terminal.js';
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

/** One delivery whole, with its body if that was asked for. */
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
      ['fraises', webhook.fraises.join(', ')],
      ['branch', webhook.branch],
      ['tag', webhook.tag],
      ['commit', webhook.commit],
      ['sender', webhook.sender],
      ['signed with', webhook.matchedSecret || 'nothing that was verified'],
      ['replays', webhook.replayedBy === '' ? '' : `${webhook.originalId}, for ${webhook.replayedBy}`],
      ['repeats', webhook.replayedBy === '' ? webhook.originalId : ''],
      ['repeated by', webhook.repeatedBy.join(', ')],
      ['deployments', webhook.deployments.join(', ')],
      ...Object.entries(webhook.headers)
        .sort(([one], [other]) => one.localeCompare(other))
        .map(([name, value]): [string, string] => ['header', `${name}: ${value}`]),
      ['body', bodyOf(webhook)],
    ]) +
    (webhook.body.length === 0 ? '' : lines(['', withoutControls(webhook.body.toString(), 'lines')]))
  );
}

/** What came of a replay. */
export function webhookReplayed(webhook: Webhook, look: Look): string {
  const { id, originalId, deployments, reason } = webhook;
  const came = deployments.length === 0 ? 'nothing is deployed' : `queued ${deployments.join(', ')}`;
  return (
    lines([
      `${originalId} was judged again as ${look.ink.bold(id)}: ${status(webhook.verdict, look)}, ${came}`,
    ]) +
    fields([
      ['why', reason?.message ?? ''],
      ['next', reason?.hint ?? ''],
    ])
  );
}

function bodyOf({ bodyBytes, body }: Webhook): string {
  if (bodyBytes === undefined) return 'none is kept';
  if (body.length === 0) return `${bodyBytes} bytes: show it with --body`;
  return body.length < bodyBytes
    ? `${bodyBytes} bytes, of which these are the first ${body.length}`
    : `${bodyBytes} bytes`;
}
