import type { Knex } from 'knex';
import { openDatabase } from '../../controller/db/database.js';
import { testServer, type TestServer } from './test-server.js';

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
 * DATABASE_URL names (its user must be allowed to create databases), else on an embedded one: see `testServer`.
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
