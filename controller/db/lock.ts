import type { LockRow, NewLock } from '../deployments/ledger/lock.js';
import { clock, clockPlus } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly id: string;
  readonly fraise: string;
  readonly environment: string;
  readonly owner: string;
  readonly reason: string;
  readonly locked_at: Date;
  readonly expires_at: Date | null;
}

const IN_FORCE = 'released_at is null and (expires_at is null or expires_at > clock_timestamp())';

/** One that is past its end makes room. Null when there is one in force. */
export async function insertLock(db: Db, { forMs, ...lock }: NewLock): Promise<LockRow | null> {
  const { fraise, environment } = lock;
  await db('tb_lock')
    .where({ fraise, environment })
    .whereRaw('released_at is null and expires_at <= clock_timestamp()')
    .update({ released_at: db.raw('expires_at') });
  const rows = await db('tb_lock')
    .insert({ ...lock, expires_at: forMs === null ? null : clockPlus(db, forMs) })
    .onConflict(db.raw('(fraise, environment) where released_at is null'))
    .ignore()
    .returning<Row[]>('*');
  return firstOf(rows);
}

/** Null when it is free. */
export async function lockOn(db: Db, fraise: string, environment: string): Promise<LockRow | null> {
  return firstOf(await db('tb_lock').where({ fraise, environment }).whereRaw(IN_FORCE).select<Row[]>());
}

/** By fraise and environment. */
export async function locks(db: Db): Promise<readonly LockRow[]> {
  const rows = await db('tb_lock').whereRaw(IN_FORCE).orderBy(['fraise', 'environment']).select<Row[]>();
  return rows.map(fromRow);
}

/** Null when there was none. */
export async function releaseLock(
  db: Db,
  fraise: string,
  environment: string,
  by: string,
): Promise<LockRow | null> {
  const rows = await db('tb_lock')
    .where({ fraise, environment })
    .whereRaw(IN_FORCE)
    .update({ released_at: clock(db), released_by: by })
    .returning<Row[]>('*');
  return firstOf(rows);
}

function firstOf([row]: readonly Row[]): LockRow | null {
  return row === undefined ? null : fromRow(row);
}

function fromRow(row: Row): LockRow {
  const { id, fraise, environment, owner, reason } = row;
  return { id, fraise, environment, owner, reason, lockedAt: row.locked_at, expiresAt: row.expires_at };
}
