import type { Knex } from 'knex';
import { connectionConfig } from './controller/db/database.js';
import { migrationSource } from './controller/db/migrations.js';

/** For knex's own command line; the controller migrates by itself when it starts. */
const url = process.env['DATABASE_URL'];
if (url === undefined || url === '') {
  throw new Error(
    'DATABASE_URL is not set: knex needs to know which database, e.g. postgres://user@host/fraisier',
  );
}

const config: Knex.Config = {
  client: 'pg',
  connection: connectionConfig({ url, applicationName: 'fraisier-knex' }) as Knex.PgConnectionConfig,
  migrations: { migrationSource },
};

export default config;
