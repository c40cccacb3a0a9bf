import { orDatabaseAway } from './connection-failure.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** How long what is kept; null: for ever. */
export interface Keeping {
  readonly bodiesMs: number | null;
  /** Of all bodies together: the oldest go first. */
  readonly bodiesBytes: number | null;
  /** Verified deliveries; with the row goes the id, so that the git host's redelivery would deploy again. */
  readonly deliveriesMs: number | null;
  /** Deliveries that were never verified. */
  readonly refusedMs: number | null;
  /** Output of runs, from when it was stored; only of deployments that have ended. */
  readonly outputMs: number | null;
  /** Questions to agents, from their deadline. */
  readonly questionsMs: number | null;
  /** Notifications of the outbox, from their end. */
  readonly notificationsMs: number | null;
}

/** What was removed, by what. */
export type Removed = Readonly<Record<keyof Keeping, number>>;

const NOTHING: Removed = {
  bodiesMs: 0,
  bodiesBytes: 0,
  deliveriesMs: 0,
  refusedMs: 0,
  outputMs: 0,
  questionsMs: 0,
  notificationsMs: 0,
};

/** Rows at most in one transaction, so that nobody waits long for a lock of it. */
const BATCH = 500;
/** The rest is for the next time. */
const MOST_BATCHES = 200;
/** Any number that nothing else locks. */
const RETENTION_LOCK = 7_246_002;

/**
 * Removes what is older, or more, than is kept: in batches, each its own transaction under an advisory lock, so that of
 * several controllers one works at a time. Never touches a delivery that waits, or that an unfinished deployment names.
 * Null when another controller is at it. Errors: `database_away`; what was removed until then stays removed.
 */
export async function removeOld(db: Db, keeping: Keeping): Promise<Removed | null> {
  const removed = { ...NOTHING };
  for (const kind of KINDS) {
    const limit = keeping[kind];
    if (limit === null) continue;
    for (let batch = 0; batch < MOST_BATCHES; batch += 1) {
      const count = await removeBatch(db, REMOVE[kind], limit);
      if (count === null) return null;
      removed[kind] += count;
      if (count < BATCH) break;
    }
  }
  return removed;
}

/** Null when another controller holds the lock. */
async function removeBatch(db: Db, sql: string, limit: number): Promise<number | null> {
  const work = db.transaction(async (tx) => {
    const [lock] = await select<{ taken: boolean }>(
      tx,
      `select pg_try_advisory_xact_lock(${RETENTION_LOCK}) as taken`,
    );
    if (lock?.taken !== true) return null;
    const { rowCount } = await tx.raw<{ rowCount: number }>(sql, { limit });
    return rowCount;
  });
  return await orDatabaseAway(work);
}

const OLD = `clock_timestamp() - :limit * interval '1 millisecond'`;

/** What still has work to do is left alone. */
const AT_REST = `verdict <> 'pending' and not exists (
          select from tb_deployment named where named.webhook_id = delivery.id and named.finished_at is null)`;

/** Each takes `:limit`, and of what it finds the oldest. */
const REMOVE: Readonly<Record<keyof Keeping, string>> = {
  bodiesMs: `
    update tb_webhook_event set body = null where position in (
      select position from tb_webhook_event delivery
       where body_bytes is not null and received_at < ${OLD} and ${AT_REST}
       order by position limit ${BATCH})`,
  bodiesBytes: `
    update tb_webhook_event set body = null where position in (
      select position from (
        select position, sum(body_bytes) over (order by position desc) as kept
          from tb_webhook_event where body_bytes is not null) newest
        join tb_webhook_event delivery using (position)
       where newest.kept > :limit and ${AT_REST}
       order by position limit ${BATCH})`,
  deliveriesMs: `
    delete from tb_webhook_event where position in (
      select position from tb_webhook_event delivery
       where matched_secret is not null and received_at < ${OLD} and ${AT_REST}
       order by position limit ${BATCH})`,
  refusedMs: `
    delete from tb_webhook_event where position in (
      select position from tb_webhook_event delivery
       where matched_secret is null and received_at < ${OLD} and ${AT_REST}
       order by position limit ${BATCH})`,
  outputMs: `
    delete from tb_run_log where number in (
      select number from tb_run_log output join tb_deployment ended on ended.id = output.deployment_id
       where output.stored_at < ${OLD} and ended.finished_at is not null limit ${BATCH})`,
  questionsMs: `
    delete from tb_question where position in (
      select position from tb_question where expires_at < ${OLD} order by expires_at limit ${BATCH})`,
  notificationsMs: `
    delete from tb_outbox where number in (
      select number from tb_outbox where ended_at < ${OLD} order by ended_at limit ${BATCH})`,
};

const KINDS = Object.keys(REMOVE) as readonly (keyof Keeping)[];
