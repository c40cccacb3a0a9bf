import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import { bindPort, bindSocket, newServer } from '../../../controller/grpc/bind.js';
import { claimSocket } from '../../../controller/grpc/unix-socket.js';
import { refused } from '../../support/refused.js';
import { withFolder } from '../pki/support.js';

const LISTEN = `require('node:net').createServer().listen(process.argv[1], () => console.log('listening'))`;

/** Another process that listens at this path, as a controller does: with its process id in the lock. */
async function anotherController(path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.EventEmitter, 'data');
  await writeFile(`${path}.lock`, `${child.pid}\n`);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the unix socket', () => {
  it('gets a folder of its own that others cannot enter, and a lock beside it', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'run', 's.sock');
      const release = await claimSocket(path);
      expect((await stat(join(folder, 'run'))).mode & 0o027).to.equal(0);
      expect(await readFile(`${path}.lock`, 'utf8')).to.equal(`${process.pid}\n`);
      await release();
      expect(await readdir(join(folder, 'run'))).to.deep.equal([]);
    }));

  it('is refused while another controller listens there', () =>
    withFolder(async (folder) => {
      const path = join(folder, 's.sock');
      const other = await anotherController(path);
      try {
        const { code, message } = await refused(claimSocket(path));
        expect(code).to.equal('invalid_configuration');
        expect(message).to.contain(`another controller (process ${other.pid}) listens at ${path}`);
      } finally {
        await kill(other);
      }
    }));

  it('is taken over from a controller that was killed', () =>
    withFolder(async (folder) => {
      const path = join(folder, 's.sock');
      await kill(await anotherController(path));
      await access(path);
      const server = newServer();
      const release = await claimSocket(path);
      await bindSocket(server, path, ServerCredentials.createInsecure());
      server.forceShutdown();
      await release();
    }));

  it('is taken over when its process id belongs to somebody else by now', () =>
    withFolder(async (folder) => {
      const path = join(folder, 's.sock');
      for (const pid of [process.ppid, process.pid, 'nonsense']) {
        await writeFile(`${path}.lock`, `${pid}\n`);
        await (
          await claimSocket(path)
        )();
      }
    }));

  it('is refused with the reason when its path is too long, or no path for a file', () =>
    withFolder(async (folder) => {
      const { message, hint } = await refused(claimSocket(join(folder, 'x'.repeat(100))));
      expect(message).to.contain('at most 103');
      expect(hint).to.contain('--socket');
      await mkdir(join(folder, 'lock.lock'));
      await refused(
        bindSocket(newServer(), join(folder, 'none', 's.sock'), ServerCredentials.createInsecure()),
      );
    }));
});

describe('listening on a port', () => {
  const insecure = ServerCredentials.createInsecure();
  const listen = (address: string) => {
    const server = newServer();
    return bindPort(server, { address, flag: '--grpc' }, insecure).then((bound) => ({ bound, server }));
  };

  it('tells the port that was taken', async () => {
    for (const [address, host] of [
      ['127.0.0.1:0', '127.0.0.1'],
      ['127.0.0.1', '127.0.0.1'],
      ['0.0.0.0:0', '0.0.0.0'],
    ] as const) {
      const { bound, server } = await listen(address);
      expect(bound).to.match(new RegExp(`^${host}:[1-9]`));
      server.forceShutdown();
    }
  });

  it('says that the port is taken, and which flag chooses another', async () => {
    const { bound, server } = await listen('127.0.0.1:0');
    const { code, message, hint } = await refused(listen(bound));
    expect([code, message]).to.deep.equal([
      'invalid_configuration',
      `cannot listen on ${bound}: another program listens there`,
    ]);
    expect(hint).to.equal('choose another one with --grpc');
    server.forceShutdown();
  });

  it('says that the address is not this machine’s, or no address', async () => {
    expect((await refused(listen('203.0.113.7:0'))).message).to.contain('this machine has no such address');
    expect((await refused(listen('no address'))).code).to.equal('usage');
  });
});
