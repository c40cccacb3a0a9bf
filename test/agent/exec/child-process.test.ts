import { execFile, fork } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { childProcessExec } from '../../../agent/exec/child-process.js';
import type { ExecSpec } from '../../../agent/exec/exec.js';
import { marksOf } from '../../../agent/exec/marks.js';
import { untilEnded, type Looked } from '../../../agent/exec/until-ended.js';
import { aSpec, isRunning, never, outputOf, program, until, withFolder, writeExecutable } from './a-spec.js';

const exec = childProcessExec();
const mkfifo = (path: string) => promisify(execFile)('mkfifo', [path]);

async function run(spec: ExecSpec): ReturnType<typeof exec.wait> {
  await exec.start(spec);
  return exec.wait(spec, never());
}

async function pidIn(spec: ExecSpec, word: string): Promise<number> {
  await until(`${word} is printed`, async () => new RegExp(`${word} \\d+\n`).test(await outputOf(spec)));
  return Number(new RegExp(`${word} (\\d+)`).exec(await outputOf(spec))?.[1]);
}

describe('commands as detached process groups', () => {
  it('reports the exit status and keeps both streams in order', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['sh', '-c', 'echo one; echo two >&2; echo three; exit 3']);
      expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 3 });
      expect(await outputOf(spec)).to.equal('one\ntwo\nthree\n');
    }));

  for (const status of [0, 1, 127, 255]) {
    it(`reports exit status ${status} as what it is`, () =>
      withFolder(async (folder) => {
        const end = await run(aSpec(folder, [program('exits-with.sh'), String(status)]));
        expect(end).to.deep.equal({ ended: 'exited', exitCode: status });
      }));
  }

  it('names the signal a program died by', () =>
    withFolder(async (folder) => {
      for (const signal of ['KILL', 'SEGV', 'TERM']) {
        const spec = aSpec(folder, [program('dies-by-signal.sh'), signal], { id: `r_1-die-1-${signal}` });
        expect(await run(spec)).to.deep.equal({ ended: 'signalled', signal: `SIG${signal}` });
      }
    }));

  it('is looked at again when there is news, however long the pause', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['true']);
      const over = new AbortController();
      const looks: Looked[] = [{ ended: 'running' }, { ended: 'exited', exitCode: 0 }];
      const look = async (): Promise<Looked> => {
        setImmediate(() => over.abort());
        return looks.shift() ?? { ended: 'absent' };
      };
      const patience = { firstMs: 3_600_000, mostMs: 3_600_000, capBytes: 1, news: () => over.signal };
      const end = await untilEnded(spec, never(), look, patience);
      expect(end).to.deep.equal({ ended: 'exited', exitCode: 0 });
    }));

  it('is found to have ended also by an agent that did not start it', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['sh', '-c', 'read _ <wait; exit 3']);
      await mkfifo(join(folder, 'wait'));
      await exec.start(spec);
      const ends = [exec.wait(spec, never()), childProcessExec().wait(spec, never())];
      await writeFile(join(folder, 'wait'), 'go\n');
      const end = { ended: 'exited', exitCode: 3 };
      expect(await Promise.all(ends)).to.deep.equal([end, end]);
    }));

  it('keeps binary output byte by byte', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, [program('prints-binary.sh')]);
      await run(spec);
      expect(await readFile(spec.outputFile)).to.deep.equal(Buffer.from([0, 255, 254, 128, 1]));
    }));

  it('appends to what is there, and keeps captured standard output apart', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['sh', '-c', 'echo out; echo err >&2'], {
        captureFile: join(folder, 'captured'),
      });
      await writeFile(spec.outputFile, 'before\n');
      await run(spec);
      expect(await outputOf(spec)).to.equal('before\nerr\n');
      expect(await readFile(join(folder, 'captured'), 'utf8')).to.equal('out\n');
    }));

  it('hands on arguments as they are, and nothing of the agent’s own environment', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'host.env'), 'SECRET="from host"\nFRAISIER_FRAISE=forged\n');
      const argv = [program('prints-surroundings.sh'), '$HOME', '%n', 'a b', '', '\'"', '*', 'line\nbreak'];
      const spec = aSpec(folder, argv, {
        environment: { FRAISIER_FRAISE: 'checkout' },
        environmentFile: join(folder, 'host.env'),
      });
      expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
      const output = await outputOf(spec);
      for (const word of argv.slice(1)) expect(output).to.include(`argument <${word}>\n`);
      expect(output).to.include('SECRET=from host\n').and.to.include('FRAISIER_FRAISE=checkout\n');
      const names = output.split('\n').map((line) => /^([A-Z_]+)=/.exec(line)?.[1]);
      const wanted = ['FRAISIER_FRAISE', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'PWD', 'SECRET', 'USER'];
      expect(names.filter((name) => name !== undefined).toSorted()).to.deep.equal(wanted);
    }));

  it('is not confused by what the host’s environment file holds', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'host.env'), 'PATH=/nowhere\nmarks=1\nline=2\nIFS=/\n');
      const spec = aSpec(folder, [program('prints-surroundings.sh')], {
        environmentFile: join(folder, 'host.env'),
      });
      await exec.start(spec);
      expect(await exec.look(spec)).not.to.have.property('ended', 'absent');
      expect(await exec.wait(spec, never())).to.deep.equal({ ended: 'exited', exitCode: 0 });
      const own = aSpec(folder, ['/bin/sh', '-c', 'echo "$PATH $marks $line"'], {
        ...spec,
        id: 'r_1-b-1-2',
        argv: ['/bin/sh', '-c', 'echo "$PATH $marks $line"'],
      });
      await run(own);
      expect(await outputOf(own)).to.match(/\/nowhere 1 2\n$/);
    }));

  describe('what cannot be started', () => {
    const refused = async (spec: ExecSpec, message: string): Promise<void> => {
      const end = await run(spec);
      expect(end).to.have.property('ended', 'not_found');
      expect(end).to.have.property('message').that.includes(message);
      expect(await exec.look(spec)).to.deep.equal(end);
    };

    it('says which program is missing, and where it was looked for', () =>
      withFolder(async (folder) => {
        await refused(
          aSpec(folder, ['no-such-program']),
          'no-such-program: no such program in /usr/local/sbin:',
        );
        await refused(aSpec(folder, ['./missing.sh'], { id: 'r_1-b-1-2' }), './missing.sh: no such file');
        await refused(aSpec(folder, [], { id: 'r_1-b-1-3' }), 'the command is empty');
      }));

    it('says that a file is not executable, is a folder, or names a missing interpreter', () =>
      withFolder(async (folder) => {
        await writeFile(join(folder, 'plain.txt'), 'text', { mode: 0o644 });
        await refused(aSpec(folder, ['./plain.txt']), './plain.txt is not executable');
        await refused(aSpec(folder, [folder], { id: 'r_1-b-1-2' }), 'is a folder');
        const script = program('names-no-interpreter');
        await refused(
          aSpec(folder, [script], { id: 'r_1-b-1-3' }),
          'names the interpreter /nowhere/interpreter',
        );
      }));

    it('says that the working folder, the environment file or the user is not there', () =>
      withFolder(async (folder) => {
        await refused(aSpec(folder, ['true'], { cwd: join(folder, 'gone') }), 'gone does not exist');
        const file = join(folder, 'no.env');
        await refused(
          aSpec(folder, ['true'], { environmentFile: file, id: 'r_1-b-1-2' }),
          `${file} cannot be read`,
        );
        const why =
          process.getuid?.() === 0
            ? 'no user nobody-at-all'
            : 'must be root to run a command as nobody-at-all';
        await refused(aSpec(folder, ['true'], { user: 'nobody-at-all', id: 'r_1-b-1-3' }), why);
      }));

    it('says what the kernel refuses', () =>
      withFolder(async (folder) => {
        await refused(aSpec(folder, ['true', 'x'.repeat(3_000_000)]), 'could not be started');
        await refused(aSpec(folder, ['true', 'nul\0byte'], { id: 'r_1-b-1-2' }), 'could not be started');
      }));
  });

  it('runs a command as another user only when the agent is root', () =>
    withFolder(async (folder) => {
      const spec = aSpec('/', ['id', '-un'], {
        user: 'daemon',
        folder,
        outputFile: join(folder, 'output.log'),
      });
      const end = await run(spec);
      if (process.getuid?.() === 0) expect(await outputOf(spec)).to.equal('daemon\n');
      else expect(end).to.have.property('message').that.includes('must be root');
    }));

  it('runs a command as the agent’s own user by name', () =>
    withFolder(async (folder) => {
      const { ownUser } = await import('../../../agent/exec/users.js');
      expect(await run(aSpec(folder, ['true'], { user: ownUser().name }))).to.have.property('exitCode', 0);
    }));

  describe('stopping', () => {
    it('asks with SIGTERM first and waits for the answer', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, [program('answers-sigterm.sh')], { graceMs: 5000 });
        await exec.start(spec);
        await until('it is ready', async () => (await outputOf(spec)).includes('ready'));
        await exec.stop(spec);
        expect(await outputOf(spec)).to.include('asked');
        expect(await exec.look(spec)).to.deep.equal({ ended: 'exited', exitCode: 7 });
      }));

    it('kills what ignores SIGTERM, after the grace, and tells so', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, [program('ignores-sigterm.sh')]);
        await exec.start(spec);
        const waited = exec.wait(spec, never());
        await until('it is ready', async () => (await outputOf(spec)).includes('ready'));
        await exec.stop(spec);
        expect(await waited).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
        expect(await exec.look(spec)).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
      }));

    it('leaves nobody of the group behind', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['sh', '-c', 'sleep 60 & echo "child $!"; wait']);
        await exec.start(spec);
        const child = await pidIn(spec, 'child');
        await exec.stop(spec);
        expect(await isRunning(child)).to.equal(false);
      }));

    it('does nothing to what has ended or never was', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['true']);
        await exec.stop(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        await run(spec);
        await exec.stop(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
      }));

    it('stops the rest of a group whose wrapper was killed', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['sh', '-c', 'echo "child $$"; sleep 60']);
        await exec.start(spec);
        const child = await pidIn(spec, 'child');
        process.kill(await wrapperPid(spec), 'SIGKILL');
        await until('its death is seen', async () => (await exec.look(spec)).ended === 'absent');
        await exec.stop(spec);
        expect(await isRunning(child)).to.equal(false);
      }));
  });

  describe('programs that misbehave (row 7)', () => {
    it('does not wait for a child that keeps standard output open', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, [program('keeps-stdout-open.sh')]);
        expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
        process.kill(await pidIn(spec, 'left'));
      }));

    it('does not wait for a child that forked away', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, [program('forks-away.sh')]);
        expect(await run(spec)).to.deep.equal({ ended: 'exited', exitCode: 0 });
        process.kill(await pidIn(spec, 'away'));
      }));

    it('bounds what a flood leaves on disk, and says what was not kept', () =>
      withFolder(async (folder) => {
        const small = childProcessExec({ capBytes: 1_000_000 });
        const spec = aSpec(folder, [program('floods.sh'), '200000000']);
        await small.start(spec);
        expect(await small.wait(spec, never())).to.deep.equal({ ended: 'exited', exitCode: 0 });
        expect((await stat(spec.outputFile)).size).to.be.within(1_000_000, 1_000_100);
        expect(await outputOf(spec)).to.match(/x\n\[fraisier: output beyond 1000000 bytes was not kept\]\n$/);
        await small.wait(spec, never());
        expect((await stat(spec.outputFile)).size).to.be.below(1_000_100);
      })).timeout(20_000);
  });

  describe('across incarnations of the agent', () => {
    it('goes on after SIGKILL to the agent, and its end is read by the next one', () =>
      withFolder(async (folder) => {
        const gate = join(folder, 'gate');
        const spec = aSpec(folder, [
          'sh',
          '-c',
          `echo started; until [ -e ${gate} ]; do sleep 0.02; done; exit 5`,
        ]);
        const agent = fork(fileURLToPath(new URL('start-command.js', import.meta.url)), [
          JSON.stringify(spec),
        ]);
        await until('the command runs', async () => (await outputOf(spec)).includes('started'));
        agent.kill('SIGKILL');
        await until('the agent is dead', () => agent.signalCode !== null);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'running' });
        await writeFile(gate, '');
        expect(await exec.wait(spec, never())).to.deep.equal({ ended: 'exited', exitCode: 5 });
        expect(await childProcessExec().look(spec)).to.deep.equal({ ended: 'exited', exitCode: 5 });
      }));

    it('stops what an earlier agent started', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, [program('ignores-sigterm.sh')]);
        const agent = fork(fileURLToPath(new URL('start-command.js', import.meta.url)), [
          JSON.stringify(spec),
        ]);
        await until('the command runs', async () => (await outputOf(spec)).includes('ready'));
        agent.kill('SIGKILL');
        await exec.stop(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
      }));

    it('does not take a later process with the same pid for its own', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['sleep', '60']);
        await exec.start(spec);
        const mark = await readFile(marksOf(spec).process, 'utf8');
        const fields = mark.slice(mark.lastIndexOf(')') + 2).split(' ');
        fields[19] = String(Number(fields[19]) - 100);
        await writeFile(
          marksOf(spec).process,
          `${mark.slice(0, mark.lastIndexOf(')') + 2)}${fields.join(' ')}`,
        );
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        await exec.stop(spec);
        expect(await isRunning(await wrapperPid(spec))).to.equal(true);
        await writeFile(marksOf(spec).process, mark);
        await exec.stop(spec);
      }));

    it('knows nothing of what ran before the host was started again', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['sleep', '60']);
        await exec.start(spec);
        const begun = await readFile(marksOf(spec).begun, 'utf8');
        await writeFile(marksOf(spec).begun, 'another boot\n');
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        await writeFile(marksOf(spec).begun, begun);
        await exec.stop(spec);
      }));

    it('takes a line that was not written to its end for no end', () =>
      withFolder(async (folder) => {
        const spec = aSpec(folder, ['true']);
        for (const text of [`exited 1${' '.repeat(503)}\n`, 'exited 1', ' '.repeat(512)]) {
          await writeFile(marksOf(spec).end, text);
          expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        }
        await writeFile(marksOf(spec).end, `exited 12\n${' '.repeat(501)}\n`);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'exited', exitCode: 12 });
      }));

    it('declares a start void that an agent died in, so that its wrapper never runs the command', () =>
      withFolder(async (folder) => {
        const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
        const spec = aSpec(folder, ['touch', join(folder, 'ran')]);
        await writeFile(marksOf(spec).begun, boot);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        await exec.start(spec);
        expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
        expect(await stat(join(folder, 'ran')).catch(() => null)).to.equal(null);
      }));
  });

  it('rejects a wait with the signal’s reason and leaves the command alone', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['sleep', '60']);
      await exec.start(spec);
      const giveUp = new AbortController();
      const waited = exec.wait(spec, giveUp.signal).catch((error: unknown) => error);
      giveUp.abort('enough');
      expect(await waited).to.equal('enough');
      expect(await exec.look(spec)).to.deep.equal({ ended: 'running' });
      await exec.stop(spec);
    }));

  it('forgets a command: nothing of it but its output is left', () =>
    withFolder(async (folder) => {
      const spec = aSpec(folder, ['echo', 'kept']);
      await run(spec);
      await exec.forget(spec);
      expect(await exec.look(spec)).to.deep.equal({ ended: 'absent' });
      expect(await outputOf(spec)).to.equal('kept\n');
    }));

  it('works from `ps` where there is no /proc', () =>
    withFolder(async (folder) => {
      const byPs = childProcessExec({ source: 'ps' });
      const spec = aSpec(folder, [program('ignores-sigterm.sh')]);
      await byPs.start(spec);
      await until('it is ready', async () => (await outputOf(spec)).includes('ready'));
      await replaceByPsLine(spec);
      expect(await byPs.look(spec)).to.deep.equal({ ended: 'running' });
      await byPs.stop(spec);
      expect(await byPs.look(spec)).to.deep.equal({ ended: 'signalled', signal: 'SIGKILL' });
    }));

  it('throws only when its own folder is broken', () =>
    withFolder(async (folder) => {
      await writeExecutable(join(folder, 'fine.sh'), '#!/bin/sh\n');
      await mkdir(join(folder, 'other'));
      const spec = aSpec(folder, ['./fine.sh'], { folder: join(folder, 'gone') });
      const error = await exec.start(spec).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(Error);
    }));
});

async function wrapperPid(spec: ExecSpec): Promise<number> {
  return Number.parseInt(await readFile(marksOf(spec).process, 'utf8'), 10);
}

async function replaceByPsLine(spec: ExecSpec): Promise<void> {
  const { runProgram } = await import('../../../agent/exec/run-program.js');
  const pid = String(await wrapperPid(spec));
  const { stdout } = await runProgram(['ps', '-o', 'pid=,stat=,pgid=,lstart=', '-p', pid], {
    timeoutMs: 5000,
  });
  await writeFile(marksOf(spec).process, stdout);
}
