import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isEmptySql } from './ways-down.js';

/** One numbered migration: `NNN_name.up.sql` and perhaps `NNN_name.down.sql`. */
export interface SqlMigration {
  /** `NNN_name`. */
  readonly id: string;
  readonly number: bigint;
  readonly up: string;
  /** Null: no way down. */
  readonly down: string | null;
}

const NAME = /^((\d+)_[A-Za-z0-9_.-]+)\.(up|down)\.sql$/;

/** In the order of their numbers. Throws an Error that says which file is not as it must be. */
export async function sqlMigrations(folder: string): Promise<readonly SqlMigration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  const odd = names.find((name) => !NAME.test(name));
  if (odd !== undefined)
    throw new Error(`${join(folder, odd)}: the name must be NNN_name.up.sql or NNN_name.down.sql`);
  const ids = [...new Set(names.map((name) => NAME.exec(name)?.[1] ?? ''))];
  const migrations = await Promise.all(ids.map((id) => migrationOf(folder, id, names)));
  return refuseTwins(migrations.toSorted((a, b) => Number(a.number - b.number)));
}

async function migrationOf(folder: string, id: string, names: readonly string[]): Promise<SqlMigration> {
  const text = (name: string) => readFile(join(folder, name), 'utf8');
  if (!names.includes(`${id}.up.sql`))
    throw new Error(`${join(folder, id)}.down.sql has no ${id}.up.sql beside it`);
  const down = names.includes(`${id}.down.sql`) ? await text(`${id}.down.sql`) : '';
  return {
    id,
    number: BigInt(/^\d+/.exec(id)?.[0] ?? 0),
    up: await text(`${id}.up.sql`),
    // A file that does nothing undoes nothing.
    down: isEmptySql(down) ? null : down,
  };
}

function refuseTwins(migrations: readonly SqlMigration[]): readonly SqlMigration[] {
  const twin = migrations.find(({ number }, at) => migrations[at - 1]?.number === number);
  if (twin === undefined) return migrations;
  throw new Error(`${twin.id} has the same number as another file: their order would be a guess`);
}

/** Whether the file says that it must not run in a transaction, as `create index concurrently` must not. */
export function runsAlone(text: string): boolean {
  return /^--[ \t]*no transaction[ \t]*$/m.test(text);
}
