import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { executorFor, thisHost } from '../../../agent/exec/choose.js';
import type { Exec, ExecSpec } from '../../../agent/exec/exec.js';
import { endOfUnit, transientUnitExec } from '../../../agent/exec/transient-unit.js';
import { unlessAlive } from '../../../agent/exec/still-alive.js';
import { unitNameOf } from '../../../agent/exec/unit-name.js';
import type { Looked } from '../../../agent/exec/until-ended.js';
import { aFakeSystemd } from './a-fake-systemd.js';
import type { FakeSystemd } from './a-fake-systemd.js';
import { aSpec, isRunning, never, outputOf, program, until, withFolder, writeExecutable } from './a-spec.js';

interface Bench {
  readonly exec: Exec;
  readonly folder: string;
  readonly run: (spec: ExecSpec) => ReturnType<Exec['wait']>;
}

/** The same behaviour twice: over programs that act like systemd's, and over systemd itself where it is to be had. */
const benches: [string, (use: (bench: Bench) => Promise<void>) => Promise<void>][] = [
  [
    'programs that act like systemd’s',
    (use) =>
      withFolder(async (folder) => {
        const exec = transientUnitExec(await aFakeSystemd(folder));
        await use(benchOf(exec, folder));
      }),
  ],
];
const { systemd, root } = thisHost();
if (systemd && root)
  benches.push([
    'systemd itself',
    (use) => withFolder((folder) => use(benchOf(transientUnitExec(), folder))),
  ]);

function benchOf(exec: Exec, folder: string): Bench {
  const run = async (spec: ExecSpec): ReturnType<Exec['wait']> => {
    await exec.start(spec);
    return exec.wait(spec, never());
  };
  return { exec, folder, run };
}

let number = 0;
const fresh = (): string => `r_test${process.pid}-step-1-${++number}`;

for (const [over, withBench] of benches) {
  describe(`commands as transient units, over ${over}`, () => {
    it('reports the exit status, keeps the output, and forgets', () =>
      withBench(async ({ exec, folder, run }) => {
        const spec = aSpec(folder, ['sh', '-c', 'echo one; echo two >&2; exit 3'], { id: fresh() });
        expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 3 });
        expect((await outputOf(spec)).split('\n').toSorted()).to.deep.equal(['', 'one', 'two']);
        await exec.forget(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
      }));

    for (const status of [0, 1, 127, 203, 255]) {
      it(`reports exit status ${status} as what it is`, () =>
        withBench(async ({ exec, folder, run }) => {
          const spec = aSpec(folder, ['sh', '-c', `sleep 0.1; exit ${status}`], { id: fresh() });
          expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: status });
          await exec.forget(spec);
        }));
    }

    it('names the signal a program died by, also one that systemd takes for a success', () =>
      withBench(async ({ exec, folder, run }) => {
        for (const signal of ['KILL', 'TERM', 'SEGV']) {
          const spec = aSpec(folder, [program('dies-by-signal.sh'), signal], { id: fresh() });
          expect(await run(spec)).to.deep.equal({ ended: 'signalled', signal: `SIG${signal}` });
          await exec.forget(spec);
        }
      }));

    it('hands on arguments and environment as they are, and shows no value to others', () =>
      withBench(async ({ exec, folder, run }) => {
        await writeFile(join(folder, 'host.env'), 'HOST_SECRET="from host"\nFRAISIER_FRAISE="forged"\n');
        const words = [
          '$HOME',
          '${HOME}',
          '$$',
          '%n %%',
          'a b',
          '',
          '\'"',
          '\\x41 \\',
          'line\nbreak',
          ';',
          '*',
        ];
        const spec = aSpec(folder, [program('prints-surroundings.sh'), ...words], {
          id: fresh(),
          environment: { FRAISIER_FRAISE: 'checkout', ODD: 'a "b" \\ $HOME `c` \' %n\nsecond' },
          environmentFile: join(folder, 'host.env'),
        });
        expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
        const output = await outputOf(spec);
        for (const word of words) expect(output).to.include(`argument <${word}>\n`);
        expect(output).to.include('FRAISIER_FRAISE=checkout\n').and.to.include('HOST_SECRET=from host\n');
        expect(output).to.include('ODD=a "b" \\ $HOME `c` \' %n\nsecond\n');
        expect(output)
          .to.match(/^PATH=\/usr\/local\/sbin:/m)
          .and.to.match(/^HOME=/m);
        await exec.forget(spec);
        expect((await readdir(folder)).filter((name) => name.startsWith(spec.id))).to.deep.equal([]);
      }));

    it('keeps captured standard output apart', () =>
      withBench(async ({ exec, folder, run }) => {
        const captureFile = join(folder, 'captured');
        const spec = aSpec(folder, ['sh', '-c', 'echo out; echo err >&2'], { id: fresh(), captureFile });
        await run(spec);
        expect(await outputOf(spec)).to.equal('err\n');
        expect(await readFile(captureFile, 'utf8')).to.equal('out\n');
        await exec.forget(spec);
      }));

    it('says what cannot be started', () =>
      withBench(async ({ folder, run }) => {
        const message = async (argv: string[], more: Partial<ExecSpec> = {}): Promise<string> => {
          const end = await run(aSpec(folder, argv, { id: fresh(), ...more }));
          return end.ended === 'not_found' ? end.message : end.ended;
        };
        expect(await message(['no-such-program'])).to.include('no such program in');
        expect(await message(['true'], { cwd: join(folder, 'gone') })).to.include('does not exist');
        expect(await message(['true'], { environmentFile: join(folder, 'no.env') })).to.include(
          'cannot be read',
        );
      }));

    it('asks with SIGTERM, and kills what ignores it after the grace', () =>
      withBench(async ({ exec, folder }) => {
        const spec = aSpec(folder, [program('ignores-sigterm.sh')], { id: fresh() });
        await exec.start(spec);
        const waited = exec.wait(spec, never());
        await until('it is ready', async () => (await outputOf(spec)).includes('ready'));
        expect(await exec.look(spec)).to.deep.equal({ ended: 'running' });
        await exec.stop(spec);
        expect(await waited).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
        expect(await exec.look(spec)).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
        await exec.forget(spec);
      }));

    it('remembers that what ended well on SIGTERM was stopped, though systemd does not', () =>
      withBench(async ({ exec, folder }) => {
        const spec = aSpec(folder, ['sleep', '60'], { id: fresh(), graceMs: 5000 });
        await exec.start(spec);
        await exec.stop(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'signalled', signal: 'SIGTERM' });
        await exec.stop(spec);
        await exec.forget(spec);
      }));

    it('reads the result of one that answered SIGTERM in its own way', () =>
      withBench(async ({ exec, folder }) => {
        const spec = aSpec(folder, [program('answers-sigterm.sh')], { id: fresh(), graceMs: 5000 });
        await exec.start(spec);
        await until('it is ready', async () => (await outputOf(spec)).includes('ready'));
        await exec.stop(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'exited', exitCode: 7 });
        await exec.forget(spec);
      }));

    it('ends with its main process, and forgetting leaves no other of it', () =>
      withBench(async ({ exec, folder, run }) => {
        const spec = aSpec(folder, [program('keeps-stdout-open.sh')], { id: fresh() });
        expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
        const left = Number(/left (\d+)/.exec(await outputOf(spec))?.[1]);
        await exec.forget(spec);
        await until('it is gone', async () => !(await isRunning(left)));
      }));

    it('does not wait when its signal says so, and leaves the command alone', () =>
      withBench(async ({ exec, folder }) => {
        const spec = aSpec(folder, ['sleep', '60'], { id: fresh() });
        await exec.start(spec);
        const waited = exec.wait(spec, AbortSignal.abort('enough')).catch((error: unknown) => error);
        expect(await waited).to.equal('enough');
        expect(await exec.look(spec)).to.deep.equal({ ended: 'running' });
        await exec.stop(spec);
        await exec.forget(spec);
      }));

    it('takes up a unit that is there already instead of starting it twice', () =>
      withBench(async ({ exec, folder }) => {
        const spec = aSpec(folder, ['sh', '-c', 'echo once; sleep 60'], { id: fresh() });
        await exec.start(spec);
        await exec.start(spec);
        await until('it has spoken', async () => (await outputOf(spec)) !== '');
        expect(await exec.look(spec)).to.deep.equal({ ended: 'running' });
        expect(await outputOf(spec)).to.equal('once\n');
        await exec.stop(spec);
        await exec.forget(spec);
      }));
  });
}

describe('transient units', () => {
  const withFake = (use: (fake: FakeSystemd, folder: string) => Promise<void>): Promise<void> =>
    withFolder(async (folder) => use(await aFakeSystemd(folder), folder));

  it('are told no value of the environment in their arguments, and the user only when it is another', () =>
    withFake(async (fake, folder) => {
      const exec = transientUnitExec(fake);
      const spec = aSpec(folder, ['true'], { id: fresh(), environment: { TOKEN: 'hush' } });
      await exec.start(spec);
      await exec.wait(spec, never());
      const told = await fake.told(unitNameOf(spec.id));
      expect(told).not.to.include('hush').and.not.to.include('User');
      expect((await stat(join(folder, `${spec.id}.environment`))).mode & 0o777).to.equal(0o600);
      if (!root) return;
      const other = aSpec('/', ['true'], {
        id: fresh(),
        folder,
        outputFile: join(folder, 'output.log'),
        user: 'nobody',
      });
      await exec.start(other);
      expect(await fake.told(unitNameOf(other.id))).to.include('["User","nobody"]');
    }));

  it('are refused to an agent that would need root, and throw when systemd does not answer', () =>
    withFake(async (fake, folder) => {
      const exec = transientUnitExec(fake);
      const spec = aSpec(folder, ['true'], { id: fresh(), user: 'nobody-at-all' });
      await exec.start(spec);
      expect(await exec.look(spec)).to.have.property('ended', 'not_found');
      await writeFile(join(fake.table, 'broken'), '');
      const error = await exec
        .look(aSpec(folder, ['true'], { id: fresh() }))
        .catch((thrown: unknown) => thrown);
      expect(error).to.have.property(
        'message',
        'systemctl show: Failed to connect to bus: Connection refused',
      );
    }));

  it('are waited for while systemd is out of reach', () =>
    withFake(async (fake, folder) => {
      const exec = transientUnitExec(fake);
      const spec = aSpec(folder, ['sh', '-c', 'sleep 0.2; echo done'], { id: fresh() });
      await exec.start(spec);
      await writeFile(join(fake.table, 'broken'), '');
      const waited = exec.wait(spec, never());
      await until('the command to end', async () => (await outputOf(spec)) === 'done\n');
      await rm(join(fake.table, 'broken'));
      expect(await waited).to.deep.equal({ ended: 'exited', exitCode: 0 });
    }));

  it('are not said to be unstarted when systemd-run was cut off', () =>
    withFake(async (fake, folder) => {
      const systemdRun = await writeExecutable(join(folder, 'cut-off'), '#!/bin/sh\nkill -9 $$\n');
      const spec = aSpec(folder, ['true'], { id: fresh() });
      const error = await transientUnitExec({ ...fake, systemdRun })
        .start(spec)
        .catch((thrown: unknown) => thrown);
      expect(String(error)).to.include('systemd did not answer whether it started it');
      expect(await transientUnitExec(fake).look(spec)).to.deep.equal({ ended: 'absent' });
    }));

  it('end at once with systemd’s own words when it does not start them', () =>
    withFake(async (fake, folder) => {
      const systemdRun = await writeExecutable(
        join(folder, 'refuses'),
        '#!/bin/sh\necho "Access denied" >&2\nexit 1\n',
      );
      const exec = transientUnitExec({ ...fake, systemdRun });
      const spec = aSpec(folder, ['true'], { id: fresh() });
      await exec.start(spec);
      const end = { ended: 'not_found', message: 'systemd did not start it: Access denied' };
      expect(await exec.look(spec)).to.deep.equal(end);
      const gone = transientUnitExec({ ...fake, systemdRun: join(folder, 'no-systemd-run') });
      const other = aSpec(folder, ['true'], { id: fresh() });
      await gone.start(other);
      expect(await gone.look(other))
        .to.have.property('message')
        .that.includes('ENOENT');
    }));

  it('are asked of no more often than there is something new, and once to be forgotten', () =>
    withFake(async (fake, folder) => {
      const log = join(folder, 'asked');
      const systemctl = await writeExecutable(
        join(folder, 'counts'),
        `#!/bin/sh\necho "$1" >>'${log}'\nexec '${fake.systemctl}' "$@"\n`,
      );
      const asked = async (): Promise<readonly string[]> => {
        const words = (await readFile(log, 'utf8')).trim().split('\n');
        await writeFile(log, '');
        return words;
      };
      const exec = transientUnitExec({ ...fake, systemctl });
      for (const [status, verb] of [
        [0, 'stop'],
        [3, 'reset-failed'],
      ] as const) {
        const spec = aSpec(folder, ['sh', '-c', `sleep 0.7; exit ${status}`], {
          id: fresh(),
          graceMs: 9_000,
        });
        await exec.start(spec);
        expect(await exec.wait(spec, never())).to.deep.equal({ ended: 'exited', exitCode: status });
        expect(await asked()).to.have.lengthOf.below(4);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'exited', exitCode: status });
        await exec.forget(spec);
        expect(await asked()).to.deep.equal([verb]);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        await asked();
      }
    }));

  it('are asked of now and then even while a process of that number is alive', async () => {
    let asked = 0;
    const look = unlessAlive(async () => {
      asked += 1;
      return asked === 3
        ? { looked: { ended: 'exited', exitCode: 0 }, mainPid: 0 }
        : { looked: { ended: 'running' }, mainPid: process.pid };
    });
    const looks: Looked[] = [];
    for (let at = 1; at <= 50; at += 1) looks.push(await look());
    expect(asked).to.equal(3);
    expect(looks.map(({ ended }) => ended)).to.deep.equal([...Array(49).fill('running'), 'exited']);
  });

  it('bound what a flood leaves on disk', () =>
    withFake(async (fake, folder) => {
      const exec = transientUnitExec({ ...fake, capBytes: 100_000 });
      const spec = aSpec(folder, [program('floods.sh'), '20000000'], { id: fresh() });
      await exec.start(spec);
      expect(await exec.wait(spec, never())).to.deep.equal({ ended: 'exited', exitCode: 0 });
      expect((await stat(spec.outputFile)).size).to.be.within(100_000, 100_100);
      await exec.forget(spec);
    }));

  it('have names that systemd takes, whatever the id', () => {
    expect(unitNameOf('r_1-build-1-1')).to.equal('fraisier-r_1-build-1-1.service');
    expect(unitNameOf('a/b')).to.match(/^fraisier-a_b-[0-9a-f]{16}\.service$/);
    expect(unitNameOf('x'.repeat(300))).to.match(/^fraisier-x{200}-[0-9a-f]{16}\.service$/);
  });

  const running = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    ActiveEnterTimestampMonotonic: '1',
  };
  const unborn = {
    ...running,
    ActiveState: 'failed',
    SubState: 'failed',
    ActiveEnterTimestampMonotonic: '0',
  };
  const ends: [string, Record<string, string>, object][] = [
    ['not there', { ...running, LoadState: 'not-found' }, { ended: 'absent' }],
    ['inactive', { ...running, ActiveState: 'inactive', SubState: 'dead' }, { ended: 'absent' }],
    ['running', running, { ended: 'running' }],
    [
      'about to end',
      { ...running, ActiveState: 'deactivating', SubState: 'stop-sigterm' },
      { ended: 'running' },
    ],
    [
      'ended by a signal without a name',
      { ...running, SubState: 'exited', ExecMainCode: '2', ExecMainStatus: '64' },
      { ended: 'signalled', signal: 'signal 64' },
    ],
    [
      'never executed',
      { ...unborn, Result: 'exit-code', ExecMainCode: '1', ExecMainStatus: '217' },
      { ended: 'not_found', message: 'systemd did not start it: exit-code, status 217' },
    ],
    [
      'without the resources to start',
      { ...unborn, Result: 'resources', ExecMainCode: '0', ExecMainStatus: '0' },
      { ended: 'not_found', message: 'systemd did not start it: resources, status 0' },
    ],
    [
      'failed faster than systemd looked',
      { ...unborn, Result: 'exit-code', ExecMainCode: '1', ExecMainStatus: '3' },
      { ended: 'exited', exitCode: 3 },
    ],
    [
      'dead faster than systemd looked',
      { ...unborn, Result: 'signal', ExecMainCode: '2', ExecMainStatus: '11' },
      { ended: 'signalled', signal: 'SIGSEGV' },
    ],
  ];
  for (const [what, properties, end] of ends) {
    it(`are read as they are: ${what}`, () => {
      expect(endOfUnit(properties)).to.deep.equal(end);
    });
  }
});

describe('the executor of a host', () => {
  it('is transient units where systemd is process 1 and the agent is root, process groups elsewhere', () => {
    expect(executorFor({ systemd: true, root: true }).kind).to.equal('transient_unit');
    expect(executorFor({ systemd: true, root: false }).kind).to.equal('child_process');
    expect(executorFor({ systemd: false, root: true }).kind).to.equal('child_process');
    expect(executorFor().kind).to.equal(systemd && root ? 'transient_unit' : 'child_process');
  });
});
