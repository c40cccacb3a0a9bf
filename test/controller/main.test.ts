import { expect } from 'chai';
import { EventEmitter } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { Closers } from '../../controller/closers.js';
import { ensureFirstToken } from '../../controller/first-token.js';
import { createLogger } from '../../controller/logger.js';
import { runController, type ControllerOptions } from '../../controller/main.js';
import { registerWithOthers } from '../../controller/register.js';
import type { StateFile } from '../../controller/start.js';
import { writeWhole } from '../../controller/write-whole.js';
import { stopSignal } from '../../controller/stop-signal.js';
import { createLedger } from '../../controller/db/ledger.js';
import { createRecords } from '../../controller/db/records.js';
import { ControlClient, type WhoAmIResponse } from '../../proto/gen/fraisier/v1/control.js';
import { parseToken } from '../../proto/tokens.js';
import { withDatabase } from '../support/database.js';
import { SAMPLE_CONFIGURATION } from '../support/memory-edges.js';
import { refused } from '../support/refused.js';
import { until } from '../support/until.js';
import { withFolder } from './pki/support.js';

interface Running extends StateFile {
  /** Tells it to stop; returns its exit code. */
  stop(): Promise<number>;
}

/** Starts a controller on free ports below `folder` and waits until it is ready. */
async function start(folder: string, databaseUrl: string, more: ControllerOptions = {}): Promise<Running> {
  const stopping = new AbortController();
  const exit = run(folder, databaseUrl, more, stopping.signal);
  const state = await Promise.race([
    exit.then(() => null),
    until('controller.json', () => readState(more.state ?? folder)),
  ]);
  if (state === null) throw new Error('it ended before it was ready');
  const stop = async (): Promise<number> => {
    stopping.abort();
    return exit;
  };
  return { ...state, stop };
}

function run(
  folder: string,
  databaseUrl: string,
  more: ControllerOptions,
  signal?: AbortSignal,
): Promise<number> {
  const ports = { http: '127.0.0.1:0', grpc: '127.0.0.1:0', agents: '127.0.0.1:0' };
  const files = {
    state: folder,
    socket: join(folder, 's.sock'),
    firstTokenFile: join(folder, 'first-token'),
  };
  const environment = { DATABASE_URL: databaseUrl, FRAISIER_LOG_LEVEL: 'silent' };
  return runController(
    { ...ports, ...files, ...more },
    { environment, signal: signal ?? AbortSignal.abort() },
  );
}

async function readState(folder: string): Promise<StateFile> {
  return JSON.parse(await readFile(join(folder, 'controller.json'), 'utf8')) as StateFile;
}

function whoAmI(socket: string): Promise<WhoAmIResponse> {
  const client = new ControlClient(`unix:${socket}`, credentials.createInsecure());
  return new Promise<WhoAmIResponse>((resolve, reject) => {
    client.whoAmI({}, (error, response) => (error === null ? resolve(response) : reject(error)));
  }).finally(() => client.close());
}

describe('a controller', () => {
  it('tells where it listens once it is ready, serves, and leaves nothing behind when told to stop', () =>
    withFolder((folder) =>
      withDatabase(async (_db, { url }) => {
        const controller = await start(folder, url);
        expect(controller.pid).to.equal(process.pid);
        for (const address of [controller.http, controller.grpc, controller.agents]) {
          expect(address).to.match(/^127\.0\.0\.1:[1-9]\d*$/);
        }
        expect((await whoAmI(controller.socket)).name).to.equal('local');
        expect((await fetch(`http://${controller.http}/health`)).status).to.equal(200);
        expect(await controller.stop()).to.equal(0);
        expect((await readdir(folder)).sort()).to.deep.equal(['controller-id', 'first-token', 'key']);
      }),
    ));

  it('makes the first admin token once, and is the same authority after a restart', () =>
    withFolder((folder) =>
      withDatabase(async (_db, { url }) => {
        await (await start(folder, url)).stop();
        const file = join(folder, 'first-token');
        expect((await stat(file)).mode & 0o777).to.equal(0o600);
        const token = await readFile(file, 'utf8');
        expect(parseToken(token).kind).to.equal('api');
        await (await start(folder, url, { firstTokenFile: join(folder, 'second-token') })).stop();
        expect(await readdir(folder)).not.to.include('second-token');
      }),
    ));

  it('applies the configuration it is started with, and does not start with a broken one', () =>
    withFolder((folder) =>
      withDatabase(async (db, { url }) => {
        const config = join(folder, 'fraises.yaml');
        await writeFile(config, SAMPLE_CONFIGURATION);
        await (await start(folder, url, { config })).stop();
        expect((await createLedger(db).currentConfiguration())?.fileName).to.equal('fraises.yaml');
        await writeFile(config, 'fraises: 3');
        expect((await refused(run(folder, url, { config }))).code).to.equal('invalid_configuration');
        expect((await refused(run(folder, url, { config: join(folder, 'none') }))).message).to.contain(
          'cannot be read',
        );
      }),
    ));

  it('shares the authority with another controller that has the key file, and only then', () =>
    withFolder((folder) =>
      withDatabase(async (_db, { url }) => {
        const first = await start(folder, url);
        const state = join(folder, 'second');
        const socket = join(folder, 'second.sock');
        const { message } = await refused(run(folder, url, { state, socket }));
        expect(message).to.contain('sealed with another one');
        const second = await start(folder, url, { state, socket, keyFile: join(folder, 'key') });
        await Promise.all([first.stop(), second.stop()]);
      }),
    ));

  it('says which port is taken, by flag, and closes what it had opened', () =>
    withFolder((folder) =>
      withDatabase(async (_db, { url }) => {
        const taken = createServer().listen(0, '127.0.0.1');
        await until('the port to be taken', () => taken.listening);
        const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
        for (const flag of ['grpc', 'agents'] as const) {
          const { message, hint } = await refused(run(folder, url, { [flag]: address }));
          expect(message).to.equal(`cannot listen on ${address}: another program listens there`);
          expect(hint).to.contain(`--${flag}`);
        }
        taken.close();
        await (await start(folder, url)).stop();
      }),
    ));

  it('does not start in a folder that is none, or with a database that is away', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'file'), '');
      const state = join(folder, 'file', 'state');
      expect((await refused(run(folder, 'postgres://x', { state }))).message).to.contain('cannot be made');
      const away = 'postgres://nobody@127.0.0.1:1/none';
      expect((await refused(run(folder, away, {}))).code).to.equal('database_away');
    }));

  it('runs on the embedded database when it is given none', function () {
    this.timeout(60_000);
    return withFolder(async (folder) => {
      // Started by root, the server runs as somebody else, who must get to its data.
      await chmod(folder, 0o711);
      const controller = await start(folder, '');
      expect((await whoAmI(controller.socket)).role).to.equal('admin');
      expect(await controller.stop()).to.equal(0);
    });
  });
});

describe('the first token', () => {
  it('is said on standard error with the command to use it, and refused a file that cannot be written', () =>
    withDatabase(async (db) => {
      const said: string[] = [];
      const edges = {
        ledger: createLedger(db),
        records: createRecords(db),
        fingerprint: 'f'.repeat(43),
        randomBytes: (size: number) => Buffer.alloc(size),
        say: (text: string) => void said.push(text),
      };
      await withFolder(async (folder) => {
        const { message } = await refused(ensureFirstToken(edges, 'c:9090', join(folder, 'none', 'token')));
        expect(message).to.contain('cannot be written');
      });
      await ensureFirstToken(edges, 'c:9090', null);
      expect(said.join(''))
        .to.contain(`fra_${'A'.repeat(43)}_${'f'.repeat(43)}`)
        .and.to.contain('fraisier login c:9090');
      await ensureFirstToken(edges, 'c:9090', null);
      expect(said).to.have.length(1);
    }));
});

describe('a file written whole', () => {
  it('replaces what was there, mode and all, or leaves nothing', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'file'), 'old and longer', { mode: 0o666 });
      await writeWhole(join(folder, 'file'), 'new', 0o600);
      expect(await readFile(join(folder, 'file'), 'utf8')).to.equal('new');
      expect((await stat(join(folder, 'file'))).mode & 0o777).to.equal(0o600);
      await mkdir(join(folder, 'folder', 'in'), { recursive: true });
      const failed = await writeWhole(join(folder, 'folder'), 'new', 0o600).catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(Error);
      expect((await readdir(folder)).sort()).to.deep.equal(['file', 'folder']);
    }));
});

describe('the signal to stop', () => {
  it('aborts at the first, ends the process at the second, and is given back', () => {
    const codes: (number | undefined)[] = [];
    const target = new EventEmitter() as unknown as NodeJS.Process;
    target.exit = ((code: number) => void codes.push(code)) as unknown as typeof process.exit;
    const { signal, release } = stopSignal(target);
    target.emit('SIGTERM', 'SIGTERM');
    expect([signal.aborted, codes]).to.deep.equal([true, []]);
    target.emit('SIGINT', 'SIGINT');
    target.emit('SIGTERM', 'SIGTERM');
    expect(codes).to.deep.equal([130, 143]);
    release();
    expect(target.listenerCount('SIGTERM') + target.listenerCount('SIGINT')).to.equal(0);
  });
});

describe('what was opened', () => {
  it('is closed in the opposite order, also when something fails', async () => {
    const [closed, lines]: [string[], string[]] = [[], []];
    const closers = new Closers(pino({}, { write: (line: string) => void lines.push(line) }));
    closers.push('first', () => void closed.push('first'));
    closers.push('second', () => Promise.reject(new Error('stuck')));
    closers.push('third', () => void closed.push('third'));
    await closers.closeAll();
    expect(closed).to.deep.equal(['third', 'first']);
    expect(lines.join('')).to.contain('stuck').and.to.contain('second');
  });
});

describe('controllers on one database', () => {
  it('know each other’s addresses, come back when they were forgotten, and go', () =>
    withDatabase(async (db) => {
      const lines: string[] = [];
      const logger = pino({}, { write: (line: string) => void lines.push(line) });
      const touches: (() => void)[] = [];
      const after = (_ms: number, act: () => void) => (touches.push(act), () => undefined);
      const as = (id: string) =>
        registerWithOthers(db, { id, version: '1', advertised: [`${id}:9091`], after, logger });
      const [one, two] = [await as('c_1'), await as('c_2')];
      expect([await one.addresses(), await two.addresses()]).to.deep.equal([['c_2:9091'], ['c_1:9091']]);
      await two.close();
      expect(await one.addresses()).to.deep.equal([]);
      touches[1]?.();
      await until('the second to be back', async () => (await one.addresses()).length === 1);
      await db.destroy();
      touches.at(-1)?.();
      await until('a line in the log', () => lines.join('').includes('could not say that it lives'));
    }));
});

describe('the log', () => {
  it('has no secrets', () => {
    const lines: string[] = [];
    const logger = createLogger('info', { write: (line: string) => void lines.push(line) });
    logger.info({ token: 'hidden', more: { password: 'hidden', fine: 'shown' } }, 'said');
    expect(lines.join('')).not.to.contain('hidden');
    expect(lines.join('')).to.contain('shown');
  });
});
