import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { FraisierError } from '../../../proto/error-codes.js';
import { endProcess, launchPostmaster } from './postmaster.js';
import type { Launch } from './postmaster.js';

export interface EmbeddedLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface EmbeddedServerOptions {
  readonly launch: Omit<Launch, 'log'>;
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  };
  readonly logFile: string;
  readonly logger: EmbeddedLogger | undefined;
  /** Recovery after a crash may take its time. */
  readonly patienceMs?: number;
}

const LARGEST_LOG_BYTES = 1_000_000;
/** What a killed server's last processes cause for a moment. */
const PASSING = /pre-existing shared memory block|lock file "postmaster.pid" already exists/;

/** Holds one running server, and starts it again when it dies by itself. */
export class EmbeddedServer {
  readonly #options: EmbeddedServerOptions;
  #process: ChildProcess | null = null;
  #stopped: Promise<void> | null = null;
  #restarting: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
  }

  /** Returns when the database accepts connections. */
  async start(): Promise<void> {
    const until = Date.now() + (this.#options.patienceMs ?? 120_000);
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#launch(until);
      if (failure === null) break;
      if (attempt >= 20 || !PASSING.test(failure)) throw notStarted(failure, this.#options.logFile);
      await sleep(100);
    }
    this.#restartWhenGone();
  }

  /** Null when it is up; else the last lines of its log. */
  async #launch(until: number): Promise<string | null> {
    const log = await openLog(this.#options.logFile);
    try {
      this.#process = launchPostmaster({ ...this.#options.launch, log: log.fd });
    } finally {
      await log.close();
    }
    if (await this.#acceptsConnections(this.#process, until)) {
      // Whoever uses the database keeps the program alive, not the database.
      this.#process.unref();
      (this.#process.stdin as Socket).unref();
      return null;
    }
    await end(this.#process);
    return await lastLines(this.#options.logFile);
  }

  async #acceptsConnections(child: ChildProcess, until: number): Promise<boolean> {
    const { connection } = this.#options;
    while (!isGone(child) && Date.now() < until) {
      const problem = await makeDatabase(connection);
      if (problem === null) return true;
      await sleep(15);
    }
    return false;
  }

  #restartWhenGone(): void {
    const child = this.#process;
    child?.once('exit', (code, signal) => {
      if (this.#stopped !== null) return;
      this.#options.logger?.warn({ code, signal }, 'embedded database died, starting it again');
      this.#restarting = this.#restart();
    });
  }

  /** For as long as it takes: without its database a controller can do nothing else. */
  async #restart(): Promise<void> {
    for (let waitMs = 100; this.#stopped === null; waitMs = Math.min(waitMs * 2, 5000)) {
      try {
        await this.start();
        this.#options.logger?.info({}, 'embedded database is up again');
        return;
      } catch (error) {
        this.#options.logger?.warn({ error }, 'embedded database does not start');
        await sleep(waitMs);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#end();
    await this.#stopped;
  }

  async #end(): Promise<void> {
    // A start in progress ends by itself once its process is gone.
    if (this.#process !== null) await end(this.#process);
    await this.#restarting;
    if (this.#process !== null) await end(this.#process);
    await rm(this.#options.launch.socketFolder, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || isGone(child)) return;
  child.ref();
  const gone = once(child, 'exit');
  await endProcess(child.pid);
  await gone;
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Makes our database unless it is there; null when that is so, else why it could not be asked. */
async function makeDatabase(connection: EmbeddedServerOptions['connection']): Promise<unknown> {
  const client = new pg.Client({ ...connection, database: 'postgres', connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  let problem: unknown = null;
  try {
    await client.connect();
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [
      connection.database,
    ]);
    if (rowCount === 0) await client.query(`create database ${connection.database}`);
  } catch (error) {
    problem = error;
  }
  await client.end().catch(() => undefined);
  return problem;
}

async function openLog(file: string): Promise<Awaited<ReturnType<typeof open>>> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LARGEST_LOG_BYTES) await rename(file, `${file}.1`);
  return await open(file, 'a', 0o600);
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  return text.trimEnd().split('\n').slice(-5).join('\n');
}

function notStarted(said: string, logFile: string): FraisierError {
  return new FraisierError('database_away', `the embedded PostgreSQL does not start; it says: ${said}`, {
    hint: `read ${logFile}`,
  });
}
