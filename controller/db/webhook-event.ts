import type { Knex } from 'knex';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger.js';
import type { DeliveryQuery } from '../deployments/records.js';
import { asked, bytes, select, toBuffer, toJson } from './row.js';
import type { Db } from './row.js';

/** A row of tb_webhook_event, with what v_webhook_history adds. */
export interface DeliveryRecord {
  readonly id: string;
  readonly position: number;
  readonly provider: string;
  readonly delivery_id: string;
  readonly claimed: boolean;
  readonly event: string;
  readonly repository: string;
  readonly branch: string;
  readonly tag: string;
  readonly commit: string;
  readonly sender: string;
  readonly verdict: DeliveryRow['verdict'];
  readonly reason: Reason | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly matched_secret: string | null;
  readonly original_id: string | null;
  readonly received_at: Date;
  readonly deployments: readonly string[];
}

/** Waits for a concurrent claim of the same id to commit or fail. */
export async function claimDelivery(db: Db, delivery: NewDelivery): Promise<DeliveryRow | null> {
  const [record] = await db('tb_webhook_event')
    .insert({ ...columns(delivery), claimed: true })
    .onConflict(db.raw('(provider, delivery_id) where claimed') as never)
    .ignore()
    .returning<DeliveryRecord[]>('*');
  return record === undefined ? null : deliveryFromRecord({ ...record, deployments: [] });
}

/** Without the claim, so never refused as a repeat. */
export async function insertDelivery(db: Db, delivery: NewDelivery): Promise<DeliveryRow> {
  const [record] = await db('tb_webhook_event')
    .insert({ ...columns(delivery), claimed: false })
    .returning<DeliveryRecord[]>('*');
  return deliveryFromRecord({ ...(record as DeliveryRecord), deployments: [] });
}

/** Locked until the transaction ends; null when nobody claims this id. */
export async function holdClaimed(db: Db, provider: string, deliveryId: string): Promise<DeliveryRow | null> {
  const [record] = await select<DeliveryRecord>(
    db,
    `select delivery.*,
            array(select id from tb_deployment where webhook_id = delivery.id order by position) as deployments
       from tb_webhook_event delivery
      where provider = ? and delivery_id = ? and claimed
        for update of delivery`,
    [provider, deliveryId],
  );
  return record === undefined ? null : deliveryFromRecord(record);
}

/** The row stays, without its claim. */
export async function releaseClaim(db: Db, id: string): Promise<void> {
  await db('tb_webhook_event').where({ id }).update({ claimed: false });
}

/** Null when there is none of this id. */
export async function delivery(db: Db, id: string): Promise<DeliveryRow | null> {
  const [record] = await db('v_webhook_history').where({ id }).select<DeliveryRecord[]>();
  return record === undefined ? null : deliveryFromRecord(record);
}

/** One more than `limit`, so that the caller sees whether there is a next page. */
export async function deliveriesBefore(
  db: Db,
  { verdict, limit }: DeliveryQuery,
  before: number | null,
): Promise<DeliveryRecord[]> {
  return await db('v_webhook_history')
    .where(asked({ verdict }))
    .whereRaw('(?::bigint is null or position < ?)', [before, before] as Knex.RawBinding[])
    .orderBy('position', 'desc')
    .limit(limit + 1)
    .select<DeliveryRecord[]>();
}

/** A row of the table has no `deployments`: give it some. */
export function deliveryFromRecord(record: DeliveryRecord): DeliveryRow {
  return {
    id: record.id,
    provider: record.provider,
    deliveryId: record.delivery_id,
    event: record.event,
    repository: record.repository,
    branch: record.branch,
    tag: record.tag,
    commit: record.commit,
    sender: record.sender,
    verdict: record.verdict,
    reason: record.reason,
    headers: record.headers,
    body: record.body === null ? null : bytes(record.body),
    matchedSecret: record.matched_secret,
    originalId: record.original_id,
    claimed: record.claimed,
    receivedAt: record.received_at,
    deployments: record.deployments,
  };
}

function columns(delivery: NewDelivery): Record<string, unknown> {
  return {
    id: delivery.id,
    provider: delivery.provider,
    delivery_id: delivery.deliveryId,
    event: delivery.event,
    repository: delivery.repository,
    branch: delivery.branch,
    tag: delivery.tag,
    commit: delivery.commit,
    sender: delivery.sender,
    verdict: delivery.verdict,
    reason: toJson(delivery.reason),
    headers: toJson(delivery.headers),
    body: delivery.body === null ? null : toBuffer(delivery.body),
    matched_secret: delivery.matchedSecret,
    original_id: delivery.originalId,
  };
}
