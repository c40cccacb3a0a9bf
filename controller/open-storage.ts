import { join } from 'node:path';
import type { Knex } from 'knex';
import type { Closers } from './closers.js';
import type { ControllerConfig } from './config.js';
import { authorityStore } from './db/authority.js';
import { migrateToLatest, openDatabase, type DatabaseOptions } from './db/database.js';
import { startEmbedded } from './db/embedded.js';
import { createLedger } from './db/ledger.js';
import { listen } from './db/notify.js';
import { createRecords } from './db/records.js';
import type { Waking } from './deployments/edges.js';
import type { Ledger } from './deployments/ledger.js';
import type { Records } from './deployments/records.js';
import type { Logger } from './logger.js';
import type { AuthorityStore } from './pki/certificate-authority.js';

export interface Storage {
  readonly db: Knex;
  readonly ledger: Ledger;
  readonly records: Records;
  readonly waking: Waking;
  readonly authority: AuthorityStore;
}

/** The database of `DATABASE_URL`, or the embedded one, with its schema up to date. Throws FraisierError `database_away`. */
export async function openStorage(
  config: ControllerConfig,
  logger: Logger,
  closers: Closers,
): Promise<Storage> {
  const options = await databaseOptions(config, logger, closers);
  const db = openDatabase(options);
  closers.push('database pool', () => db.destroy());
  await migrateToLatest(db);
  const waking = await listen(options, {
    onError: (error) => logger.warn({ err: error }, 'wake-ups interrupted'),
  });
  closers.push('wake-ups', () => waking.close());
  return { db, ledger: createLedger(db), records: createRecords(db), waking, authority: authorityStore(db) };
}

async function databaseOptions(
  config: ControllerConfig,
  logger: Logger,
  closers: Closers,
): Promise<DatabaseOptions> {
  if (config.databaseUrl !== null) return { url: config.databaseUrl };
  const embedded = await startEmbedded({ folder: join(config.state, 'postgres'), logger });
  closers.push('embedded database', () => embedded.stop());
  return { connection: embedded.connection };
}
