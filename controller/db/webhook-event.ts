import type { Knex } from 'knex';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { DeliveryLine, DeliveryQuery, WholeDelivery } from '../deployments/records.js';
import { deploymentFromRecord } from './deployment-row.js';
import type { DeploymentRecord } from './deployment-row.js';
import { asked, bytes, select, toBuffer } from './row.js';
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
  readonly replayed_by: string | null;
  readonly fraises: readonly string[];
  readonly body_bytes: number | null;
  readonly received_at: Date;
  readonly deployments: readonly string[];
}

const COLUMNS = `id, provider, delivery_id, claimed, event, repository, branch, tag, commit, sender, verdict, reason, headers,
  matched_secret, original_id, replayed_by, fraises`;

/** Waits for a concurrent claim of the same id to commit or fail. */
export async function claimDelivery(db: Db, delivery: NewDelivery): Promise<DeliveryRow | null> {
  const [claimed] = await insert(db, [delivery], true);
  return claimed as DeliveryRow | null;
}

/** One statement for all, whose length grows only by a placeholder for each body. */
export function claimDeliveries(
  db: Db,
  deliveries: readonly NewDelivery[],
): Promise<readonly (DeliveryRow | null)[]> {
  return insert(db, deliveries, true);
}

/** Without the claim, so never refused as a repeat. */
export async function insertDelivery(db: Db, delivery: NewDelivery): Promise<DeliveryRow> {
  const [stored] = await insert(db, [delivery], false);
  return stored as DeliveryRow;
}

/** In the order of their ids: two who claim the same ones never wait for each other. Null for what is claimed already. */
async function insert(
  db: Db,
  deliveries: readonly NewDelivery[],
  claimed: boolean,
): Promise<readonly (DeliveryRow | null)[]> {
  if (deliveries.length === 0) return [];
  const rows = deliveries.map((delivery) => ({ ...columns(delivery), claimed }));
  const bodies = deliveries.map(({ body }) => (body === null ? null : toBuffer(body)));
  const stored = await select<Pick<DeliveryRecord, 'id' | 'received_at'>>(
    db,
    `insert into tb_webhook_event (${COLUMNS}, received_at, body)
     select ${COLUMNS}, (select clock_timestamp()), sent.bytes
       from jsonb_populate_recordset(null::tb_webhook_event, ?) with ordinality as given
       join (values ${bodies.map((_, index) => `(${index + 1}, ?::bytea)`).join(', ')}) as sent (place, bytes)
         on sent.place = given.ordinality
      order by provider, delivery_id
         on conflict (provider, delivery_id) where claimed do nothing
     returning id, received_at`,
    [JSON.stringify(rows), ...bodies],
  );
  const receivedAt = new Map(stored.map((one) => [one.id, one.received_at]));
  return deliveries.map((delivery) => {
    const at = receivedAt.get(delivery.id);
    return at === undefined ? null : asInserted(delivery, at, claimed);
  });
}

/** What was stored is what was handed in; its body need not come back. */
function asInserted(delivery: NewDelivery, receivedAt: Date, claimed: boolean): DeliveryRow {
  return { replayedBy: null, fraises: [], ...delivery, claimed, receivedAt, deployments: [] };
}

/** Locked until the transaction ends; null when nobody claims this id. */
export async function holdClaimed(db: Db, provider: string, deliveryId: string): Promise<DeliveryRow | null> {
  return await held(db, 'provider = ? and delivery_id = ? and claimed', [provider, deliveryId]);
}

/** Locked until the transaction ends; null when there is none of this id. */
export async function holdDelivery(db: Db, id: string): Promise<DeliveryRow | null> {
  return await held(db, 'id = ?', [id]);
}

async function held(db: Db, which: string, bindings: readonly string[]): Promise<DeliveryRow | null> {
  const [record] = await select<DeliveryRecord>(
    db,
    `select delivery.*,
            array(select id from tb_deployment where webhook_id = delivery.id order by position) as deployments
       from tb_webhook_event delivery
      where ${which}
        for update of delivery`,
    bindings,
  );
  return record === undefined ? null : deliveryFromRecord(record);
}

/** By any of its rows; oldest first. */
export async function startedBy(
  db: Db,
  provider: string,
  deliveryId: string,
): Promise<readonly DeploymentRow[]> {
  const records = await select<DeploymentRecord>(
    db,
    `select started.* from tb_deployment started join tb_webhook_event delivery on delivery.id = started.webhook_id
      where delivery.provider = ? and delivery.delivery_id = ? order by started.position`,
    [provider, deliveryId],
  );
  return records.map(deploymentFromRecord);
}

/** The row stays, without its claim. */
export async function releaseClaim(db: Db, id: string): Promise<void> {
  await db('tb_webhook_event').where({ id }).update({ claimed: false });
}

/** Null when there is none of this id. */
export async function delivery(db: Db, id: string, withBody: boolean): Promise<WholeDelivery | null> {
  const [record] = await db('v_webhook_history')
    .where({ id })
    .select<(DeliveryRecord & { repeated_by: string[] })[]>(
      ...WITHOUT_BODY,
      db.raw('case when ? then substring(body for ?) end as body', [withBody, MOST_SHOWN]),
      db.raw(
        'array(select id from tb_webhook_event where original_id = ? order by position) as repeated_by',
        [id],
      ),
    );
  return record === undefined ? null : { ...lineFromRecord(record), repeatedBy: record.repeated_by };
}

/** One more than `limit`, so that the caller sees whether there is a next page. */
export async function deliveriesBefore(
  db: Db,
  { verdict, fraise, since, limit }: DeliveryQuery,
  before: number | null,
): Promise<DeliveryRecord[]> {
  return await db('v_webhook_history')
    .where(asked({ verdict }))
    .whereRaw('(?::text is null or fraises @> array[?::text])', [fraise, fraise] as Knex.RawBinding[])
    .whereRaw('(?::timestamptz is null or received_at >= ?)', [since, since] as Knex.RawBinding[])
    .whereRaw('(?::bigint is null or position < ?)', [before, before] as Knex.RawBinding[])
    .orderBy('position', 'desc')
    .limit(limit + 1)
    .select<DeliveryRecord[]>(...WITHOUT_BODY, db.raw('null::bytea as body'));
}

/** Of a body, in bytes: an answer to a call holds no more than 4 MB. */
const MOST_SHOWN = 3_000_000;

/** Bodies are up to 25 MB each. */
const WITHOUT_BODY = [
  'id',
  'position',
  'provider',
  'delivery_id',
  'claimed',
  'event',
  'repository',
  'branch',
  'tag',
  'commit',
  'sender',
  'verdict',
  'reason',
  'headers',
  'matched_secret',
  'original_id',
  'replayed_by',
  'fraises',
  'body_bytes',
  'received_at',
  'deployments',
];

/** As `deliveryFromRecord`, with the size of the body. */
export function lineFromRecord(record: DeliveryRecord): DeliveryLine {
  return { ...deliveryFromRecord(record), bodyBytes: record.body_bytes };
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
    replayedBy: record.replayed_by,
    fraises: record.fraises,
    claimed: record.claimed,
    receivedAt: record.received_at,
    deployments: record.deployments,
  };
}

/** All but the body, as JSON. */
function columns(delivery: NewDelivery): Readonly<Record<string, unknown>> {
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
    reason: delivery.reason,
    headers: delivery.headers,
    matched_secret: delivery.matchedSecret,
    original_id: delivery.originalId,
    replayed_by: delivery.replayedBy ?? null,
    fraises: delivery.fraises ?? [],
  };
}
