import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { connectionConfig, migrateToLatest, openDatabase } from '../../controller/db/database.js';
import { startEmbedded } from '../../controller/db/embedded.js';

/** Where the databases of the tests are made. */
export interface TestServer {
  urlOf(name: string): string;
  /** An empty, migrated database: a used one emptied, or a copy of the template. */
  take(): Promise<string>;
  giveBack(name: string): void;
  /** A database of its own, also for other programs; everything in it is a copy of `template`'s. */
  create(template: string): Promise<string>;
  drop(name: string): Promise<void>;
}

interface Place {
  readonly url: string;
  /** The name of a migrated, empty database there; those made for tests begin with it. */
  readonly template: string;
}

/** Tells the workers of a parallel run where the server is that the first process has started. */
const SHARED = 'FRAISIER_TEST_SERVER';

let connected: Promise<TestServer> | null = null;
let stopOwn: (() => Promise<void>) | null = null;

/** The server that DATABASE_URL names, else an embedded one: one for a whole parallel run, or of this process. */
export async function testServer(): Promise<TestServer> {
  connected ??= connect();
  return await connected;
}

/** Starts the server for the processes that this one will start. `stopTestServer` ends it. */
export async function shareTestServer(): Promise<void> {
  process.env[SHARED] = JSON.stringify(await start());
}

/** Drops every database of the tests, and stops the server if this process has started it. */
export async function stopTestServer(): Promise<void> {
  await connected?.then((server) => (server as ConnectedServer).end());
  connected = null;
  await stopOwn?.();
  stopOwn = null;
}

if (typeof globalThis.after === 'function' && process.env[SHARED] === undefined) {
  after('stop the test database', async function () {
    this.timeout(60_000);
    await stopTestServer();
  });
}

async function connect(): Promise<TestServer> {
  const shared = process.env[SHARED];
  const place = shared === undefined ? await start() : (JSON.parse(shared) as Place);
  const admin = await connectTo(place.url);
  return new ConnectedServer(place, admin);
}

async function start(): Promise<Place> {
  const given = process.env['DATABASE_URL'];
  const server =
    given === undefined || given === '' ? await embedded() : { url: given, stop: async () => {} };
  const template = `fraisier_test_${randomBytes(4).toString('hex')}`;
  const admin = await connectTo(server.url);
  stopOwn = async () => {
    const { rows } = await admin.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { name } of rows) await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
    await server.stop();
  };
  await admin.query(`create database ${template} template template0`);
  const db = openDatabase({ url: withDatabaseName(server.url, template) });
  try {
    await migrateToLatest(db);
  } finally {
    await db.destroy();
  }
  return { url: server.url, template };
}

async function embedded(): Promise<{ url: string; stop: () => Promise<void> }> {
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
  const server = await startEmbedded({ folder: join(folder, 'postgresql'), settings });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { url: server.url, stop };
}

class ConnectedServer implements TestServer {
  readonly #place: Place;
  readonly #admin: pg.Client;
  readonly #free: string[] = [];

  constructor(place: Place, admin: pg.Client) {
    this.#place = place;
    this.#admin = admin;
  }

  urlOf(name: string): string {
    return withDatabaseName(this.#place.url, name);
  }

  async take(): Promise<string> {
    const used = this.#free.pop();
    if (used === undefined) return await this.create(this.#place.template);
    await empty(this.#admin, used, this.urlOf(used));
    return used;
  }

  giveBack(name: string): void {
    this.#free.push(name);
  }

  async create(template: string): Promise<string> {
    const name = `${this.#place.template}_${randomBytes(6).toString('hex')}`;
    await this.#admin.query(`create database ${name} template ${template}`);
    return name;
  }

  async drop(name: string): Promise<void> {
    await this.#admin.query(`drop database if exists ${name} with (force)`);
  }

  async end(): Promise<void> {
    await this.#admin.end();
  }
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ ...connectionConfig({ url, applicationName: 'fraisier-test' }) });
  await client.connect();
  return client;
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
