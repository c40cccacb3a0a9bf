import type { Knex } from 'knex';
import { orDatabaseAway } from './connection-failure.js';
import { clock } from './row.js';
import type { Db } from './row.js';

export interface NewController {
  readonly id: string;
  /** Addresses of its agents' port, `host:port`. */
  readonly advertised: readonly string[];
  readonly version: string;
}

export interface ControllerRow extends NewController {
  readonly startedAt: Date;
  readonly seenAt: Date;
}

interface Row {
  readonly id: string;
  readonly advertised: readonly string[];
  readonly version: string;
  readonly started_at: Date;
  readonly seen_at: Date;
}

/** Called when a controller starts; the same id again is a restart. */
export async function registerController(db: Db, { id, advertised, version }: NewController): Promise<void> {
  await orDatabaseAway(
    db('tb_controller')
      .insert({ id, advertised, version, started_at: clock(db), seen_at: clock(db) })
      .onConflict('id')
      .merge(),
  );
}

/** Says that it lives; false when it is not registered (any more). */
export async function touchController(db: Db, id: string): Promise<boolean> {
  const touched = await orDatabaseAway(
    db('tb_controller')
      .where({ id })
      .update({ seen_at: clock(db) }),
  );
  return touched === 1;
}

/** A controller that stops says so; those that died are known by `seenAt`. */
export async function unregisterController(db: Db, id: string): Promise<void> {
  await orDatabaseAway(db('tb_controller').where({ id }).delete());
}

/** Every registered controller, the one seen last first; `withinMs` leaves out those not seen for longer. */
export async function controllers(db: Db, withinMs: number | null = null): Promise<readonly ControllerRow[]> {
  const rows = await orDatabaseAway(
    db('tb_controller')
      .whereRaw(`(?::float is null or seen_at > clock_timestamp() - ? * interval '1 millisecond')`, [
        withinMs,
        withinMs,
      ] as Knex.RawBinding[])
      .orderBy([{ column: 'seen_at', order: 'desc' }, 'id'])
      .select<Row[]>(),
  );
  return rows.map((row) => ({
    id: row.id,
    advertised: row.advertised,
    version: row.version,
    startedAt: row.started_at,
    seenAt: row.seen_at,
  }));
}
