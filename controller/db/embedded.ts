import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from './embedded/folder-lock.js';
import { initialise, ROLE } from './embedded/initialise.js';
import { choosePlace, makeSocketFolder, recordedPlace } from './embedded/place.js';
import { endLeftover } from './embedded/postmaster.js';
import { findPackage, provideRuntime } from './embedded/runtime.js';
import { EmbeddedServer } from './embedded/server.js';
import type { EmbeddedLogger } from './embedded/server.js';
import { serverUser } from './embedded/server-user.js';

export interface EmbeddedOptions {
  /** Made when missing (0700). One process at a time. */
  readonly folder: string;
  /** Where a copy of the programs is put if one is needed (see `provideRuntime`); default: with the data. */
  readonly runtimeFolder?: string;
  readonly logger?: EmbeddedLogger;
  /** PostgreSQL settings on top of ours, e.g. `{ fsync: 'off' }` for a test. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedDatabase {
  /** For `openDatabase`, pg and knex. */
  readonly connection: EmbeddedConnection;
  /** The same as a URL, for `psql` and `DATABASE_URL`. Valid until `stop`. */
  readonly url: string;
  /** Shuts down cleanly and gives the folder free. May be called again. */
  stop(): Promise<void>;
}

export interface EmbeddedConnection {
  /** The folder of the unix socket: there is no TCP port. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/**
 * A real PostgreSQL of our own, in a folder. Returns when it accepts connections: about 1.7 s after the first call in a
 * folder, 0.15 s later on (two cores, Debian 12; add the copy of the programs where one is needed, 0.2 s).
 *
 * It dies with this process, also by SIGKILL; one that outlived an earlier controller is shut down first; one that dies
 * by itself is started again at the same address. As root it runs as `postgres` or `nobody`, and its data may then lie
 * outside `folder` (see `choosePlace`).
 *
 * Access: no password. The socket's folder admits the server's user and root only, as do the data.
 *
 * Errors: `database_away`, with what to do: folder in use, no package for this machine, data of another major version.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const folder = await realpath(options.folder);
  const unlock = await lockFolder(folder);
  try {
    return await startLocked(folder, options, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function startLocked(
  folder: string,
  { runtimeFolder, logger, settings = {} }: EmbeddedOptions,
  unlock: () => Promise<void>,
): Promise<EmbeddedDatabase> {
  const recorded = await recordedPlace(folder);
  const user = await serverUser(join(recorded ?? folder, 'data'));
  const place = recorded ?? (await choosePlace(folder, user));
  const data = join(place, 'data');
  const found = await findPackage();
  const copyTo = runtimeFolder ?? join(place, `runtime-${found.version}`);
  const runtime = await provideRuntime(found, { place, user, copyTo });
  if (await endLeftover(data)) logger?.warn({ data }, 'embedded database of an earlier controller shut down');
  await initialise(place, { runtime, user, version: found.version });
  const socketFolder = await makeSocketFolder(place, user);
  const connection = { host: socketFolder, port: 5432, user: ROLE, database: ROLE };
  const launch = { runtime, user, data, socketFolder, settings };
  const server = new EmbeddedServer({ launch, connection, logFile: join(place, 'postgres.log'), logger });
  await server.start();
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    try {
      await server.stop();
    } finally {
      await unlock();
    }
  };
  return { connection, url: urlOf(connection), stop: async () => await (stopping ??= stop()) };
}

function urlOf({ host, user, database }: EmbeddedConnection): string {
  return `postgresql:///${database}?host=${encodeURIComponent(host)}&user=${user}`;
}
