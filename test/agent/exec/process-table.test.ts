import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { pathsInUse, processesNaming, runningProcesses } from '../../../agent/exec/process-table.js';
import { withFolder } from './a-spec.js';

const NOW = new Date('2026-05-01T12:00:00Z');

/** `/proc/<pid>/stat` of a process that was started so many ticks after the boot. */
function stat(pid: number, ticks: number): string {
  return `${pid} (a (b) c) S 1 ${pid} ${pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${ticks} 0 0\n`;
}

describe('the table of processes', () => {
  it('tells of this process what it is', async () => {
    const own = (await runningProcesses(new Date())).find(({ pid }) => pid === process.pid);
    expect(own?.cwd).to.equal(process.cwd());
    expect(own?.argv.length).to.be.greaterThan(1);
    const startedMsAgo = Date.now() - (own?.startedAt.getTime() ?? 0);
    expect(Math.abs(startedMsAgo - performance.now())).to.be.lessThan(10_000);
    expect(own && (await pathsInUse(own)))
      .to.include(process.cwd())
      .and.to.include(process.execPath);
  });

  it('leaves out threads of the kernel and what has ended, and knows what it may not read as empty', () =>
    withFolder(async (proc) => {
      await writeFile(join(proc, 'uptime'), '100.00 50.00\n');
      for (const pid of ['7', '8', '9', 'self']) await mkdir(join(proc, pid));
      await writeFile(join(proc, '7/stat'), stat(7, 4000));
      await writeFile(join(proc, '7/cmdline'), 'python3\0run.py\0');
      await writeFile(join(proc, '8/stat'), stat(8, 1));
      await writeFile(join(proc, '8/cmdline'), '');
      expect(await runningProcesses(NOW, proc)).to.deep.equal([
        {
          pid: 7,
          argv: ['python3', 'run.py'],
          cwd: '',
          exe: '',
          startedAt: new Date(NOW.getTime() - 60_000),
        },
      ]);
    }));

  it('names the mapped files of a process, each once', () =>
    withFolder(async (proc) => {
      await mkdir(join(proc, '7'));
      await symlink('/srv/app', join(proc, '7/cwd'));
      await writeFile(
        join(proc, '7/maps'),
        '00-01 r-xp 0 0:0 1   /srv/app/lib.so\n01-02 rw-p 0 0:0 0\n02-03 r--p 0 0:0 1 /srv/app/lib.so\n',
      );
      const one = { pid: 7, argv: ['x', '/srv/app'], cwd: '/srv/app', exe: '', startedAt: NOW };
      expect(await pathsInUse(one, proc)).to.deep.equal(['/srv/app', '/srv/app/lib.so']);
      expect(await pathsInUse({ ...one, pid: 8 }, proc)).to.deep.equal(['/srv/app']);
    }));

  it('finds those that name a folder in any way, and no others', () =>
    withFolder(async (proc) => {
      await writeFile(join(proc, 'uptime'), '100.00 50.00\n');
      const maps = (path: string) => `00-01 r-xp 0 0:0 1   ${path}\n`;
      for (const pid of ['1', '2', '3', '4', '5']) {
        await mkdir(join(proc, pid));
        await writeFile(join(proc, pid, 'stat'), stat(Number(pid), 1));
        await writeFile(join(proc, pid, 'cmdline'), pid === '1' ? 'tail\0/srv/app/log\0' : 'other\0');
        await writeFile(join(proc, pid, 'maps'), maps(pid === '2' ? '/srv/app/lib.so' : '/lib/libc.so'));
      }
      await symlink('/srv/app/releases', join(proc, '3/cwd'));
      await symlink('/srv/app/program', join(proc, '4/exe'));
      await symlink('/srv/another', join(proc, '5/cwd'));
      const found = await processesNaming(['/srv/app', '/nowhere'], NOW, proc);
      expect(found.map(({ pid }) => pid)).to.have.members([1, 2, 3, 4]);
    }));

  it('takes all of them for such that may when they cannot be searched', () =>
    withFolder(async (proc) => {
      await mkdir(join(proc, '7'));
      await writeFile(join(proc, '7/stat'), stat(7, 1));
      await writeFile(join(proc, '7/cmdline'), 'other\0');
      const found = await processesNaming(['/srv/app', 'nul\0'], NOW, proc);
      expect(found.map(({ pid }) => pid)).to.deep.equal([7]);
    }));

  it('is empty where there is no /proc', async () => {
    expect(await runningProcesses(NOW, '/nowhere')).to.deep.equal([]);
  });
});
