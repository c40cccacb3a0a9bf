import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { runsAlone, sqlMigrations, type SqlMigration } from './sql-files.js';

// `fraisier sql`: plain numbered files, each in one transaction with its row. Neither postgrator nor node-pg-migrate takes
// NNN_name.up.sql with a .down.sql beside it and commits the row with the file, so this is `pg` itself.

const TABLE = 'fraisier_migrations';
/** Any two numbers that nothing else locks. */
const LOCK = [0x66726173, 0x71];
const LOCK_MS = 30_000;

const USAGE = `fraisier sql status|up|down ID|rebuild [--directory FOLDER]
fraisier sql recorded --table TABLE --column COLUMN`;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { directory: { type: 'string' }, table: { type: 'string' }, column: { type: 'string' } },
  });
  const [act = '', id = ''] = positionals;
  const folder = values.directory ?? 'migrations';
  switch (act) {
    case 'status':
      return withDatabase((client) => status(client, folder));
    case 'up':
      return withDatabase((client) => locked(client, () => up(client, folder)));
    case 'down':
      return withDatabase((client) => locked(client, () => down(client, folder, id)));
    case 'rebuild':
      return withDatabase((client) => locked(client, () => rebuild(client, folder)));
    case 'recorded':
      return recorded(values.table ?? '', values.column ?? '');
    default:
      throw new Error(USAGE);
  }
}

async function status(client: pg.Client, folder: string): Promise<void> {
  const { applied, pending } = await compare(client, folder);
  const irreversible = pending.filter((one) => one.down === null).map(({ id }) => id);
  print(JSON.stringify({ applied, pending: pending.map(({ id }) => id), irreversible }));
}

async function up(client: pg.Client, folder: string): Promise<void> {
  await client.query(`create table if not exists ${TABLE} (number bigint generated always as identity primary key,
    id text not null unique, applied_at timestamptz not null default now())`);
  const { pending } = await compare(client, folder);
  for (const { id, up: text } of pending) {
    await inTransaction(client, `${id}.up.sql`, text, `insert into ${TABLE} (id) values ($1)`, id);
    print(`applied ${id}`);
  }
  if (pending.length === 0) print('nothing is pending');
}

/** Only the newest: what came after it may stand on it. */
async function down(client: pg.Client, folder: string, id: string): Promise<void> {
  const newest = (await appliedIds(client)).at(-1);
  if (newest !== id) throw new Error(`${id} is not the newest migration here, that is ${newest ?? '(none)'}`);
  const migration = (await sqlMigrations(folder)).find((one) => one.id === id);
  if (migration === undefined || migration.down === null)
    throw new Error(`there is no ${id}.down.sql in ${folder}`);
  await inTransaction(client, `${id}.down.sql`, migration.down, `delete from ${TABLE} where id = $1`, id);
  print(`undone ${id}`);
}

async function rebuild(client: pg.Client, folder: string): Promise<void> {
  await client.query('begin; drop schema public cascade; create schema public; commit');
  print('dropped everything in the schema public');
  await up(client, folder);
}

/** One JSON line; null where the database is not PostgreSQL, which only PostgreSQL can be asked. */
async function recorded(table: string, column: string): Promise<void> {
  if (!/^(?:postgres(?:ql)?:|$)/.test(process.env['DATABASE_URL'] ?? '')) return print('{"recorded":null}');
  const name = (process.env['DBMATE_MIGRATIONS_TABLE'] ?? table).split('.').map(quoted).join('.');
  await withDatabase(async (client) => {
    const there = await client.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
      name,
    ]);
    const list = there.rows[0]?.found === true ? await listed(client, name, quoted(column)) : [];
    print(JSON.stringify({ recorded: list }));
  });
}

async function listed(client: pg.Client, table: string, column: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select ${column}::text as id from ${table} order by 1`,
  );
  return rows.map(({ id }) => id);
}

function quoted(name: string): string {
  return pg.escapeIdentifier(name);
}

// ── the bookkeeping ──────────────────────────────────────────────────────────

async function compare(
  client: pg.Client,
  folder: string,
): Promise<{ applied: readonly string[]; pending: readonly SqlMigration[] }> {
  const applied = await appliedIds(client);
  const pending = (await sqlMigrations(folder)).filter(({ id }) => !applied.includes(id));
  return { applied, pending };
}

async function appliedIds(client: pg.Client): Promise<readonly string[]> {
  const there = await client.query<{ found: boolean }>(`select to_regclass('${TABLE}') is not null as found`);
  if (there.rows[0]?.found !== true) return [];
  const { rows } = await client.query<{ id: string }>(`select id from ${TABLE} order by number`);
  return rows.map(({ id }) => id);
}

/** The file and its row together; apart only for a file that says it must run alone. */
async function inTransaction(
  client: pg.Client,
  file: string,
  text: string,
  row: string,
  id: string,
): Promise<void> {
  const alone = runsAlone(text);
  try {
    if (!alone) await client.query('begin');
    await client.query(text);
    await client.query(row, [id]);
    if (!alone) await client.query('commit');
  } catch (error) {
    if (!alone) await client.query('rollback').catch(() => undefined);
    throw new Error(
      `${file}${lineOf(error, text)}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function lineOf(error: unknown, text: string): string {
  const position = error instanceof pg.DatabaseError ? Number(error.position) : NaN;
  return Number.isNaN(position) ? '' : `:${text.slice(0, position).split('\n').length}`;
}

// ── the database ─────────────────────────────────────────────────────────────

/** One migration at a time, of however many hosts and people. */
async function locked(client: pg.Client, work: () => Promise<void>): Promise<void> {
  const until = Date.now() + LOCK_MS;
  while (!(await tryLock(client))) {
    if (Date.now() >= until)
      throw new Error(`another migration has been at work here for ${LOCK_MS / 1000} s`);
    await sleep(200);
  }
  await work();
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1, $2) as got', LOCK);
  return rows[0]?.got === true;
}

async function withDatabase(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const url = process.env['DATABASE_URL'] ?? '';
  if (url === '' && process.env['PGHOST'] === undefined && process.env['PGDATABASE'] === undefined)
    throw new Error('DATABASE_URL is not set: put it into the environment_file of this host');
  const client = new pg.Client({
    ...(url === '' ? {} : { connectionString: url }),
    application_name: 'fraisier sql',
  });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
