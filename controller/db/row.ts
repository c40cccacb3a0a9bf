import type { Knex } from 'knex';

/** A pool or one transaction: every function of this folder works on both. */
export type Db = Knex;

type Bindings = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Runs SQL with `?` or `:name` placeholders (a cast is written `cast`, not `::`, then) and returns its rows. */
export async function select<T>(db: Db, sql: string, bindings: Bindings = []): Promise<T[]> {
  const { rows } = await db.raw<{ rows: T[] }>(sql, bindings as Knex.RawBinding[]);
  return rows;
}

/** For a jsonb column: pg would take an array for a PostgreSQL array. SQL null for null, so that `is null` works. */
export function toJson(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** The database's own time, also within a long transaction. */
export function clock(db: Db): Knex.Raw {
  return db.raw('clock_timestamp()');
}

/** That time, `ms` from now. */
export function clockPlus(db: Db, ms: number): Knex.Raw {
  return db.raw(`clock_timestamp() + ? * interval '1 millisecond'`, [ms]);
}

/** Conditions for a `where`: those that are not null. */
export function asked(conditions: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(conditions).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

/** Plain bytes; the driver's Buffer is a view on memory it shares. */
export function bytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer);
}

/** For a bytea column, without copying: the driver only knows Buffers. */
export function toBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Takes the keys that are there: an absent one leaves its column alone, null empties it. */
export function columnsOf<T extends object>(
  change: T,
  mapping: { readonly [K in keyof T]-?: (value: Exclude<T[K], undefined>) => Record<string, unknown> },
): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  for (const key of Object.keys(change) as (keyof T)[]) {
    const value = change[key];
    if (value !== undefined) Object.assign(columns, mapping[key](value as Exclude<T[keyof T], undefined>));
  }
  return columns;
}
