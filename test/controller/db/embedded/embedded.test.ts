import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { endProcess, launchPostmaster } from '../../../../controller/db/embedded/postmaster.js';
import { makeSocketFolder } from '../../../../controller/db/embedded/place.js';
import { findPackage, provideRuntime } from '../../../../controller/db/embedded/runtime.js';
import { EmbeddedServer } from '../../../../controller/db/embedded/server.js';
import { serverUser } from '../../../../controller/db/embedded/server-user.js';
import { startEmbedded } from '../../../../controller/db/embedded.js';
import type { EmbeddedDatabase } from '../../../../controller/db/embedded.js';
import { FraisierError } from '../../../../proto/error-codes.js';
import { until } from '../../../support/until.js';

/** No second of a test is worth a disk's promise; one test looks at the real settings. */
const FAST = { fsync: 'off' };

describe('the embedded PostgreSQL', function () {
  this.timeout(60_000);

  let above: string;
  let folder: string;
  const running: EmbeddedDatabase[] = [];
  const children: ChildProcess[] = [];

  // One folder for all: setting data up takes longer than all the rest.
  before(async () => {
    above = await mkdtemp(join(tmpdir(), 'fraisier embedded, "test" '));
    // As root the server runs as somebody else, who then finds its data here.
    await chmod(above, 0o711);
  });
  after(async () => await rm(above, { recursive: true, force: true }));

  beforeEach(() => {
    folder = join(above, 'state');
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(async (one) => await one.stop()));
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  });

  async function start(more: Partial<Parameters<typeof startEmbedded>[0]> = {}): Promise<EmbeddedDatabase> {
    const database = await startEmbedded({ folder, settings: FAST, ...more });
    running.push(database);
    return database;
  }

  it('is a durable server of its own, reached by a unix socket only, by URL and by configuration', async () => {
    const database = await start({ settings: {} });
    for (const config of [{ connectionString: database.url }, database.connection]) {
      const [row] = await ask(
        config,
        `select current_database() as db, current_user as role,
        current_setting('listen_addresses') as tcp, current_setting('fsync') as fsync,
        current_setting('synchronous_commit') as commit, current_setting('unix_socket_permissions') as mode,
        pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()`,
      );
      expect(row).to.deep.equal({
        db: 'fraisier',
        role: 'fraisier',
        tcp: '',
        fsync: 'on',
        commit: 'on',
        mode: '0700',
        encoding: 'UTF8',
      });
    }
    const { mode } = await stat(database.connection.host);
    expect(mode & 0o777).to.equal(0o700);
  });

  it('keeps its data from one start to the next, and may be stopped twice', async () => {
    const first = await start();
    await ask(first.connection, 'create table kept as select 42 as answer');
    await first.stop();
    await first.stop();
    expect(await readdir(folder)).not.to.include('socket');
    const second = await start();
    expect(await ask(second.connection, 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
  });

  it('is used by one controller at a time, and says by whom', async () => {
    await start();
    const refusal = await refusalOf(startEmbedded({ folder }));
    expect(refusal.message).to.include(`in use by process ${process.pid}`);
    expect(refusal.reason.hint).to.include('--state');
  });

  it('dies with its controller, also by kill -9, and the next one finds what was committed', async () => {
    const { child, url } = await controller();
    await ask({ connectionString: url }, 'create table survived as select 1 as one');
    expect((await refusalOf(startEmbedded({ folder }))).message).to.include(`in use by process ${child.pid}`);
    const postmaster = await postmasterPid();
    child.kill('SIGKILL');
    await until('the server to be gone', () => !isAlive(postmaster), { everyMs: 10 });
    const next = await start();
    expect(await ask(next.connection, 'select one from survived')).to.deep.equal([{ one: 1 }]);
  });

  it('shuts down a server that outlived its controller before it starts its own', async () => {
    await (await start()).stop();
    running.splice(0);
    const orphan = await leftover();
    const told: string[] = [];
    const logger = {
      info: () => undefined,
      warn: (_facts: object, message: string) => void told.push(message),
    };
    await start({ logger });
    await until('the orphan’s end', () => orphan.exitCode !== null, { everyMs: 10 });
    expect(told).to.deep.equal(['embedded database of an earlier controller shut down']);
  });

  it('waits for what a killed server left behind to be gone', async () => {
    await (await start()).stop();
    running.splice(0);
    const orphan = await leftover();
    const data = join(folder, 'data');
    const user = await serverUser(data);
    const runtime = await provideRuntime(await findPackage(), {
      place: folder,
      user,
      copyTo: join(above, 'runtime'),
    });
    const socketFolder = await makeSocketFolder(folder, user);
    const connection = { host: socketFolder, port: 5432, user: 'fraisier', database: 'fraisier' };
    const logFile = join(above, 'second.log');
    const launch = { runtime, user, data, socketFolder, settings: FAST };
    const second = new EmbeddedServer({ launch, connection, logFile, logger: undefined });
    const starting = second.start();
    await until('the first attempt', async () =>
      (await readFile(logFile, 'utf8')).includes('already exists'),
    );
    await endProcess(Number(orphan.pid));
    await starting;
    await second.stop();
  });

  it('is started again at the same address when it dies by itself', async () => {
    const told: string[] = [];
    const say = (_facts: object, message: string) => void told.push(message);
    const database = await start({ logger: { info: say, warn: say } });
    await ask(database.connection, 'create table kept_too as select 7 as n');
    process.kill(await postmasterPid(), 'SIGKILL');
    const [row] = await until(
      'the server to be back',
      async () => await ask(database.connection, 'select n from kept_too'),
    );
    expect(row).to.deep.equal({ n: 7 });
    await until('the log to say so', () => told.length === 2, { everyMs: 10 });
    expect(told).to.deep.equal([
      'embedded database died, starting it again',
      'embedded database is up again',
    ]);
  });

  it('gives up starting it again once it is stopped', async () => {
    const told: string[] = [];
    const say = (_facts: object, message: string) => void told.push(message);
    const database = await start({ logger: { info: say, warn: say } });
    await writeFile(join(folder, 'data', 'postgresql.auto.conf'), 'shared_buffers = nonsense\n');
    process.kill(await postmasterPid(), 'SIGKILL');
    await until('a start that failed', () => told.includes('embedded database does not start'), {
      everyMs: 10,
    });
    await database.stop();
    await writeFile(join(folder, 'data', 'postgresql.auto.conf'), '');
    expect(told).not.to.include('embedded database is up again');
  });

  it('says what PostgreSQL said when it does not start, and gives the folder free', async () => {
    await (await start()).stop();
    const refusal = await refusalOf(startEmbedded({ folder, settings: { shared_buffers: 'nonsense' } }));
    expect(refusal.reason.code).to.equal('database_away');
    expect(refusal.message).to.include('invalid value for parameter "shared_buffers"');
    expect(refusal.reason.hint).to.equal(`read ${join(folder, 'postgres.log')}`);
    await start();
  });

  it('puts a log that grew large aside', async () => {
    await (await start()).stop();
    await writeFile(join(folder, 'postgres.log'), 'x'.repeat(1_100_000));
    await start();
    expect((await readFile(join(folder, 'postgres.log.1'), 'utf8')).length).to.be.above(1_000_000);
    expect((await readFile(join(folder, 'postgres.log'), 'utf8')).length).to.be.below(10_000);
  });

  it('works in a folder too long for a socket’s address', async () => {
    folder = join(above, 'x'.repeat(100));
    const database = await start();
    expect(database.connection.host).to.match(/^\/tmp\/fraisier-\w+$/);
    expect(await ask({ connectionString: database.url }, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
  });

  it('starts from a copy of its programs where they cannot be used in place', async () => {
    const runtimeFolder = join(above, 'copied-programs');
    const found = await findPackage();
    const user = await serverUser(join(folder, 'data'));
    const runtime = await provideRuntime(found, { place: above, user, copyTo: runtimeFolder }, 'darwin');
    const isComplete = runtime.bin === join(found.native, 'bin');
    expect(runtime).to.deep.equal({
      bin: isComplete ? runtime.bin : join(runtimeFolder, 'bin'),
      libraryPath: '',
    });
    const database = await start({ runtimeFolder });
    expect(await ask(database.connection, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
  });

  /** Another process that holds the database as a controller does. */
  async function controller(): Promise<{ child: ChildProcess; url: string }> {
    const module = new URL('../../../../controller/db/embedded.js', import.meta.url).href;
    const program = `import { startEmbedded } from ${JSON.stringify(module)};
      const { url } = await startEmbedded({ folder: process.argv[1], settings: { fsync: 'off' } });
      console.log(url); setInterval(() => undefined, 1000);`;
    const argv = ['--input-type=module', '-e', program, folder];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    return { child, url: said.toString().trim() };
  }

  /** A server on the folder's data whose controller did not take it along. */
  async function leftover(): Promise<ChildProcess> {
    const data = join(folder, 'data');
    const user = await serverUser(data);
    const runtime = await provideRuntime(await findPackage(), {
      place: folder,
      user,
      copyTo: join(above, 'runtime'),
    });
    // Emptied: what an earlier one said does not count.
    const log = await open(join(above, 'orphan.log'), 'w');
    const child = launchPostmaster({
      runtime,
      user,
      data,
      socketFolder: '/tmp',
      settings: FAST,
      log: log.fd,
    });
    children.push(child);
    await log.close();
    await until('the orphan to be up', async () =>
      /ready to accept/.test(await readFile(join(above, 'orphan.log'), 'utf8')),
    );
    return child;
  }

  async function postmasterPid(): Promise<number> {
    return Number((await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
  }
});

describe('ending a process', () => {
  it('goes on from a polite signal to SIGKILL', async () => {
    const deaf = spawn('/bin/sh', ['-c', `trap '' INT QUIT; echo ready; while :; do sleep 0.1; done`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(deaf.stdout, 'data');
    await endProcess(Number(deaf.pid), 100);
    await until('its end', () => deaf.signalCode !== null, { everyMs: 5 });
    expect(deaf.signalCode).to.equal('SIGKILL');
  });
});

async function ask(config: pg.ClientConfig, sql: string): Promise<unknown[]> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function refusalOf(work: Promise<unknown>): Promise<FraisierError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FraisierError)) throw new Error('expected a refusal', { cause: error });
  return error;
}
