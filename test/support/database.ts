import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import pg from 'pg';
import { connectionConfig, migrateToLatest, openDatabase } from '../../controller/db/database.js';
import { startEmbedded } from '../../controller/db/embedded.js';

/** A database of one's own, migrated and empty. */
export interface TestDatabase {
  readonly db: Knex;
  /** For a controller, a listener or a second pool on the same database. */
  readonly url: string;
  /** Ends the pool. Whatever else is still connected is cut off before the database is used again. */
  close(): Promise<void>;
}

/**
 * Runs `work` with an empty, migrated database and closes it afterwards, whatever happens. On the server that
 * DATABASE_URL names (its user must be allowed to create databases), else on one embedded server per mocha process.
 */
export async function withDatabase<T>(work: (db: Knex, test: TestDatabase) => Promise<T>): Promise<T> {
  const test = await testDatabase();
  try {
    return await work(test.db, test);
  } finally {
    await test.close();
  }
}

/** As `withDatabase`, for hooks: the caller closes it. */
export async function testDatabase(options: { poolSize?: number } = {}): Promise<TestDatabase> {
  const server = await testServer();
  const name = await server.take();
  return openTest(server, name, options, () => server.giveBack(name));
}

/** A database without any table, dropped when closed. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const server = await testServer();
  const name = await server.create('template0');
  return openTest(server, name, {}, async () => await server.drop(name));
}

/** A database with everything that another one has by now; nobody may be connected to that one. */
export async function copyOfDatabase({ url }: Pick<TestDatabase, 'url'>): Promise<TestDatabase> {
  const server = await testServer();
  const name = await server.create(/\/(\w+)(?:\?.*)?$/.exec(url)?.[1] ?? '');
  return openTest(server, name, {}, async () => await server.drop(name));
}

function openTest(
  server: TestServer,
  name: string,
  options: { poolSize?: number },
  finish: () => void | Promise<void>,
): TestDatabase {
  const url = server.urlOf(name);
  const db = openDatabase({ url, applicationName: 'fraisier-test', ...options });
  let closed: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await db.destroy();
    await finish();
  };
  return { db, url, close: async () => await (closed ??= close()) };
}

interface TestServer {
  urlOf(name: string): string;
  /** An empty, migrated database: a used one emptied, or a copy of the template. */
  take(): Promise<string>;
  giveBack(name: string): void;
  create(template: string): Promise<string>;
  drop(name: string): Promise<void>;
  stop(): Promise<void>;
}

let running: Promise<TestServer> | null = null;

async function testServer(): Promise<TestServer> {
  running ??= startServer();
  return await running;
}

/** Drops and stops everything. mocha does it by itself; other programs that use this file must call it. */
export async function stopTestServer(): Promise<void> {
  const server = await running;
  running = null;
  await server?.stop();
}

if (typeof globalThis.after === 'function') {
  after('stop the test database', async function () {
    this.timeout(60_000);
    await stopTestServer();
  });
}

async function startServer(): Promise<TestServer> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined && given !== '') return await prepare(given, async () => await Promise.resolve());
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-test-db-'));
  // Not 0700: as root the server runs as another user, who then finds its data here.
  await chmod(folder, 0o711);
  // Nothing here outlives a power cut.
  const settings = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
  };
  const embedded = await startEmbedded({ folder: join(folder, 'postgresql'), settings });
  return await prepare(embedded.url, async () => {
    await embedded.stop();
    await rm(folder, { recursive: true, force: true });
  });
}

async function prepare(serverUrl: string, stopServer: () => Promise<void>): Promise<TestServer> {
  const admin = new pg.Client({ ...connectionConfig({ url: serverUrl, applicationName: 'fraisier-test' }) });
  await admin.connect();
  const [all, free] = [new Set<string>(), [] as string[]];
  const urlOf = (name: string): string => withDatabaseName(serverUrl, name);

  const create = async (template: string): Promise<string> => {
    const name = `fraisier_test_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${name} template ${template}`);
    all.add(name);
    return name;
  };
  const drop = async (name: string): Promise<void> => {
    await admin.query(`drop database if exists ${name} with (force)`);
    all.delete(name);
  };
  const take = async (): Promise<string> => {
    const used = free.pop();
    if (used === undefined) return await create(template);
    await empty(admin, used, urlOf(used));
    return used;
  };
  const stop = async (): Promise<void> => {
    for (const name of all) await drop(name);
    await admin.end();
    await stopServer();
  };

  const template = await create('template0');
  const db = openDatabase({ url: urlOf(template) });
  try {
    await migrateToLatest(db);
  } finally {
    await db.destroy();
  }
  return { urlOf, take, giveBack: (name) => void free.push(name), create, drop, stop };
}

/** Deleting the few rows of a test takes 5 ms, a new database 80. */
async function empty(admin: pg.Client, name: string, url: string): Promise<void> {
  await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'public' and tablename like 'tb\\_%'`,
    );
    const deletions = rows.map((row) => `delete from ${row.name};`).join(' ');
    await client.query(`${deletions} select setval(format('%I', sequencename)::regclass, 1, false) from pg_sequences
      where schemaname = 'public' and sequencename like 'tb\\_%'`);
  } finally {
    await client.end();
  }
}

/** Works for `postgres://host/name` and for `postgresql:///name?host=/folder`. */
function withDatabaseName(url: string, name: string): string {
  return url.replace(/^(\w+:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/, (_all, start: string, query = '') => {
    return `${start}/${name}${String(query)}`;
  });
}
