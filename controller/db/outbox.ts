import type { Ledger } from '../deployments/ledger.js';
import type {
  AddressedNotification,
  Claim,
  ClaimRequest,
  NewNotification,
  NotificationRow,
} from '../deployments/ledger/outbox.js';
import { clock, clockPlus, select, toJson } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly number: number;
  readonly topic: string;
  readonly about: string;
  readonly payload: unknown;
  readonly lane: string | null;
  readonly attempts: number;
}

/** Leaves after the transaction has committed, or never. */
export async function outbox(db: Db, { topic, about, payload }: NewNotification): Promise<void> {
  // SQL null would say that there is no payload; JSON null is one.
  await db('tb_outbox').insert({ topic, about, payload: toJson(payload) ?? 'null' });
}

/** Open ones without a lane, oldest first. */
export async function unaddressedNotifications(db: Db, limit: number): Promise<readonly NotificationRow[]> {
  const rows = await db('tb_outbox')
    .whereNull('ended_at')
    .whereNull('lane')
    .orderBy('number')
    .limit(limit)
    .select<Row[]>();
  return rows.map(fromRow);
}

/** In one order for everybody, so that two who do it at once never wait for each other. */
const ADDRESS = `
  with given as (
    select * from jsonb_to_recordset(?) as one (number bigint, lane text, unwanted text)),
  mine as materialized (
    select number from tb_outbox
     where number in (select number from given) and lane is null and ended_at is null
     order by number for update)
  update tb_outbox one
     set lane = given.lane, last_error = given.unwanted,
         outcome = case when given.lane is null then 'unwanted' end,
         ended_at = case when given.lane is null then clock_timestamp() end
    from given join mine using (number)
   where one.number = given.number`;

/** One that has a lane keeps it. */
export async function addressNotifications(
  db: Db,
  addressed: readonly AddressedNotification[],
): Promise<void> {
  await select(db, ADDRESS, [JSON.stringify(addressed)]);
}

/** Any number that nothing else locks. Two claims at once could hand out two about the same thing. */
const CLAIM_LOCK = 7_246_003;

const FREE = 'ended_at is null and coalesce(claimed_until <= clock_timestamp(), true)';

const ANY_DUE = `select from tb_outbox where ${FREE} and due_at <= clock_timestamp() and lane is not null limit 1`;

const END_OVERTAKEN = `
  update tb_outbox one set ended_at = clock_timestamp(), outcome = 'overtaken'
   where ${FREE}
     and exists (select from tb_outbox newer
                  where newer.about = one.about and newer.number > one.number and newer.ended_at is null
                    and newer.due_at <= clock_timestamp())`;

const CLAIM = `
  update tb_outbox set attempts = attempts + 1,
                       claimed_until = clock_timestamp() + :claimMs * interval '1 millisecond'
   where number = (
     select number from tb_outbox one
      where ${FREE} and due_at <= clock_timestamp() and lane is not null and lane <> all (cast(:busyLanes as text[]))
        and not exists (select from tb_outbox other
                         where other.about = one.about and other.number <> one.number and other.ended_at is null)
      order by due_at, number limit 1
        for update skip locked)
  returning *`;

/** Null when nothing is due that may leave now. */
export async function claimNotification(
  db: Db,
  { busyLanes, claimMs }: ClaimRequest,
): Promise<NotificationRow | null> {
  // Most of the time there is nothing to send: nobody need wait for that.
  if ((await select(db, ANY_DUE)).length === 0) return null;
  return await db.transaction(async (tx) => {
    await tx.raw('select pg_advisory_xact_lock(?)', [CLAIM_LOCK]);
    await tx.raw(END_OVERTAKEN);
    const [row] = await select<Row>(tx, CLAIM, { claimMs, busyLanes: [...busyLanes] });
    return row === undefined ? null : fromRow(row);
  });
}

/** False when the claim is no longer the newest one. */
export async function endNotification(
  db: Db,
  { number, attempts }: Claim,
  { outcome, error }: Parameters<Ledger['endNotification']>[1],
): Promise<boolean> {
  const ended = { outcome, last_error: error, ended_at: clock(db), claimed_until: null };
  return (await db('tb_outbox').where({ number, attempts }).whereNull('ended_at').update(ended)) > 0;
}

/** False when the claim is no longer the newest one. */
export async function retryNotification(
  db: Db,
  { number, attempts }: Claim,
  { afterMs, error }: Parameters<Ledger['retryNotification']>[1],
): Promise<boolean> {
  const later = { due_at: clockPlus(db, afterMs), last_error: error, claimed_until: null };
  return (await db('tb_outbox').where({ number, attempts }).whereNull('ended_at').update(later)) > 0;
}

/** Those that are due later than that stay so. */
export async function holdLane(db: Db, lane: string, forMs: number): Promise<void> {
  await db('tb_outbox')
    .where({ lane })
    .whereNull('ended_at')
    .where('due_at', '<', clockPlus(db, forMs))
    .update({ due_at: clockPlus(db, forMs) });
}

function fromRow({ number, topic, about, payload, lane, attempts }: Row): NotificationRow {
  return { number, topic, about, payload, lane, attempts };
}
