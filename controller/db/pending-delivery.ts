import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import type { WebhookVerdict } from '../deployments/lifecycle.js';
import { clockPlus, select, toJson } from './row.js';
import type { Db } from './row.js';
import { deliveryFromRecord, type DeliveryRecord } from './webhook-event.js';

/**
 * SQL for when the delivery was received whose id this expression is: a replay counts as received when the delivery was
 * that it is of, as long as that is kept.
 */
export function receivedAtOf(id: string): string {
  return `(
    with recursive told as (
      select original_id, replayed_by, received_at from tb_webhook_event where id = ${id}
       union all
      select original.original_id, original.replayed_by, original.received_at
        from told join tb_webhook_event original on original.id = told.original_id
       where told.replayed_by is not null)
    select min(received_at) from told)`;
}

/** Null when there is none of this id. */
export async function receivedAt(db: Db, id: string): Promise<Date | null> {
  const [record] = await select<{ at: Date | null }>(db, `select ${receivedAtOf('?')} as at`, [id]);
  return (record as { at: Date | null }).at;
}

/** False when its verdict is not `from` (any more). */
export async function moveDelivery(
  db: Db,
  id: string,
  from: WebhookVerdict,
  to: WebhookVerdict,
  reason: Reason | null,
): Promise<boolean> {
  const moved = await db('tb_webhook_event')
    .where({ id, verdict: from })
    .update({ verdict: to, reason: toJson(reason) });
  return moved === 1;
}

/** The oldest that nobody asks about; one that another transaction has in hand is left to it. */
export async function takePending(db: Db, forMs: number): Promise<DeliveryRow | null> {
  const [record] = await select<DeliveryRecord>(
    db,
    `update tb_webhook_event delivery
        set asked_until = clock_timestamp() + ? * interval '1 millisecond'
      where id = (select id from tb_webhook_event
                   where verdict = 'pending' and (asked_until is null or asked_until <= clock_timestamp())
                   order by position limit 1 for update skip locked)
      returning delivery.*,
        array(select id from tb_deployment where webhook_id = delivery.id order by position) as deployments`,
    [forMs],
  );
  return record === undefined ? null : deliveryFromRecord(record);
}

/** Whoever had it gives it back. */
export async function postponePending(db: Db, id: string, ms: number): Promise<void> {
  await db('tb_webhook_event')
    .where({ id })
    .update({ asked_until: clockPlus(db, ms) });
}
