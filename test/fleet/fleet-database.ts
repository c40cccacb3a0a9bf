import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded, type EmbeddedDatabase } from '../../controller/db/embedded.js';
import type { Lab } from './lab/lab.js';

/** A PostgreSQL server that the controllers of a fleet share; one that dies is started again at once. */
export async function startDatabase(lab: Lab): Promise<FleetDatabase> {
  // It runs as another user, who must be able to pass through.
  await chmod(lab.folder, 0o711);
  const folder = join(lab.folder, 'postgres');
  return new FleetDatabase(folder, await startEmbedded({ folder, settings: { max_connections: '100' } }));
}

/** Reached over its unix socket, which is the same file for everybody on this machine. */
export class FleetDatabase {
  readonly url: string;
  readonly #folder: string;
  readonly #server: EmbeddedDatabase;

  constructor(folder: string, server: EmbeddedDatabase) {
    this.#folder = folder;
    this.#server = server;
    this.url = server.url;
  }

  /** SIGKILL to the server; it comes back by itself. False when it is away already. */
  async kill9(): Promise<boolean> {
    const moved = await readFile(join(this.#folder, 'moved-to'), 'utf8').catch(() => this.#folder);
    const file = join(moved.trim(), 'data', 'postmaster.pid');
    const [pid] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    return Number(pid) > 0 && killed(Number(pid));
  }

  /** The rows of a statement. */
  async rows<T extends pg.QueryResultRow>(statement: string): Promise<readonly T[]> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<T>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** As a standby is before it is promoted: whoever is connected is cut off, and nobody can write. */
  async failOver(): Promise<void> {
    await this.#readOnly('on');
    await this.rows(`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()
      and backend_type = 'client backend'`);
  }

  /** It takes writes again. */
  async promote(): Promise<void> {
    await this.#readOnly('off');
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async #readOnly(how: 'on' | 'off'): Promise<void> {
    await this.rows(`alter system set default_transaction_read_only = ${how}`);
    await this.rows('select pg_reload_conf()');
  }
}

function killed(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}
