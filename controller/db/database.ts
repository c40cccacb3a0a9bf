import knexModule from 'knex';
import type { Knex } from 'knex';
import pg from 'pg';
import { FraisierError } from '../../proto/error-codes.js';
import { orDatabaseAway } from './connection-failure.js';
import { migrationSource } from './migrations.js';

export { isDatabaseAway } from './connection-failure.js';

export interface DatabaseOptions {
  /** A PostgreSQL URL … */
  readonly url?: string;
  /** … or what `startEmbedded` returned. */
  readonly connection?: pg.ClientConfig;
  /** Connections at most; default 10. */
  readonly poolSize?: number;
  /** Shown in `pg_stat_activity`; default `fraisier`. */
  readonly applicationName?: string;
}

/** Where to connect and how: for knex, and for the listener's own client. */
export type ConnectionConfig = pg.ClientConfig;

/**
 * What a server does with a controller that hangs or is cut off: its statements, its waits for locks and its open
 * transactions end by themselves, so that its locks do not outlive it by more than half a minute.
 */
const SESSION = {
  statement_timeout: '30s',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '15s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '20s',
} as const;

/** Where and how to connect. Adds to `options` of the URL rather than replacing them. */
export function connectionConfig({ url, connection, applicationName }: DatabaseOptions): ConnectionConfig {
  const settings = Object.entries(SESSION).map(([name, value]) => `-c ${name}=${value}`);
  const given = url === undefined ? connection : withoutOptions(url, settings);
  return {
    ...given,
    options: [...settings, connection?.options ?? ''].join(' ').trim(),
    application_name: applicationName ?? 'fraisier',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 5000,
    types: numbersForBigints(),
  };
}

/** pg lets the URL's `options` win over ours; taken out of it and put behind ours, single ones still win. */
function withoutOptions(url: string, settings: string[]): ConnectionConfig {
  const query = url.indexOf('?');
  if (query < 0) return { connectionString: url };
  const parameters = new URLSearchParams(url.slice(query + 1));
  settings.push(...parameters.getAll('options'));
  parameters.delete('options');
  return { connectionString: `${url.slice(0, query)}?${parameters.toString()}` };
}

/** Counters and sizes stay far below 2^53. */
function numbersForBigints(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  return types;
}

/**
 * A pool of connections; none is made before it is needed. The caller destroys it. Waits at most 10 s for a free one;
 * what fails for want of a server fails with an error that `isDatabaseAway`.
 */
export function openDatabase(options: DatabaseOptions): Knex {
  return knexModule.knex({
    client: 'pg',
    connection: connectionConfig(options) as Knex.PgConnectionConfig,
    pool: { min: 0, max: options.poolSize ?? 10, idleTimeoutMillis: 30_000 },
    acquireConnectionTimeout: 10_000,
    migrations: { migrationSource },
    log: SILENT,
  });
}

function ignore(): void {}
/** What knex would print, it throws as well. */
const SILENT: Knex.Logger = { warn: ignore, error: ignore, debug: ignore, deprecate: ignore };

/** Any number that nothing else locks: one migration at a time, also of several controllers at once. */
const MIGRATION_LOCK = 7_246_001;

/**
 * Brings the schema up to date, all or nothing, in one transaction under a lock: controllers that start together wait
 * for each other (a minute at most), and one that is killed in the middle leaves nothing behind.
 *
 * Errors: `database_away`; also when a newer fraisier has migrated this database.
 */
export async function migrateToLatest(db: Knex): Promise<void> {
  const work = db.transaction(async (tx) => {
    await tx.raw(`set local statement_timeout = 0; set local lock_timeout = '60s'`);
    await tx.raw('select pg_advisory_xact_lock(?)', [MIGRATION_LOCK]);
    await tx.migrate.latest({ migrationSource }).catch(refuseNewer);
  });
  await orDatabaseAway(work);
}

function refuseNewer(cause: unknown): never {
  if (!(cause instanceof Error) || !/migration directory is corrupt/.test(cause.message)) throw cause;
  throw new FraisierError('database_away', 'the database was migrated by a newer fraisier than this one', {
    hint: 'upgrade this controller, or give it another database',
    cause,
  });
}
