import pg from 'pg';
import type { Cluster } from '../support/cluster.js';

/** Holds a deployment's row, as a person with `psql` would who forgot to commit; returns how to let it go. */
export async function holdRow({ databaseUrl }: Cluster, deployment: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query('select from tb_deployment where id = $1 for update', [deployment]);
  return () => client.end();
}
