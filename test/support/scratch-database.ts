import { randomBytes } from 'node:crypto';
import pg from 'pg';

export interface ScratchDatabase {
  readonly url: string;
  /** Whoever is still connected is cut off. */
  readonly drop: () => Promise<void>;
}

/** An empty database of one's own on the server of `serverUrl`. */
export async function scratchDatabase(serverUrl: string): Promise<ScratchDatabase> {
  const name = `fraisier_test_${randomBytes(6).toString('hex')}`;
  await withServer(serverUrl, (client) => client.query(`create database ${name}`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const drop = () =>
    withServer(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
  return { url: url.href, drop };
}

/** Ends every other connection to the database of `url`. */
export async function endConnections(url: string): Promise<void> {
  await withServer(url, (client) =>
    client.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`),
  );
}

async function withServer(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
