import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { program, until, withFolder, writeExecutable } from '../exec/a-spec.js';
import { aHost } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

async function withRelease(
  use: (host: TestHost, release: string) => Promise<void>,
  target: Partial<Target> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder, target);
    const release = join(host.target.appPath, 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    await use(host, release);
  });
}

const commandOf = (argv: string[], more: object = {}): AnAction => ({
  $case: 'command',
  value: { argv, shell: '', user: '', commit: COMMIT, ...more },
});

function reasonOf(end: StepEnd): { code: string; message: string; facts: Record<string, string> } {
  return end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;
}

const logOf = (host: TestHost, step: string): Promise<string> =>
  readFile(join(host.stateFolder, `runs/r_1-${step}-1-1.log`), 'utf8');

describe('command', () => {
  it('runs in the release with what it needs to know, and the host’s environment file', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'env'), 'PORT=8123\nDATABASE_URL="postgres://x y"\n');
      const host = await aHost(folder, { environmentFile: join(folder, 'env') });
      const release = join(host.target.appPath, 'releases', COMMIT);
      await mkdir(release, { recursive: true });
      const end = await host.run(commandOf([program('prints-surroundings.sh'), 'a b']));
      expect(end).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { exitCode: 0 } });
      const log = await logOf(host, 's1');
      for (const line of [
        release,
        'PORT=8123',
        'DATABASE_URL=postgres://x y',
        'FRAISIER_FRAISE=checkout',
        'FRAISIER_ENVIRONMENT=production',
        `FRAISIER_COMMIT=${COMMIT}`,
        `FRAISIER_RELEASE=${release}`,
        'argument <a b>',
        'to standard error',
      ]) {
        expect(log.split('\n')).to.include(line);
      }
    }));

  it('gives a shell only the string that the user wrote for one', () =>
    withRelease(async (host, release) => {
      expect(
        (await host.run(commandOf([], { shell: 'echo "$FRAISIER_COMMIT" > out && exit 0' }))).outcome,
      ).to.equal(Outcome.SUCCEEDED);
      expect(await readFile(join(release, 'out'), 'utf8')).to.equal(`${COMMIT}\n`);
    }));

  it('fails with its exit status and its own name', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf([program('exits-with.sh'), '255']));
      expect(reasonOf(end).code).to.equal('command_failed');
      expect(reasonOf(end).message).to.match(/^the command ".*exits-with\.sh 255" exited with status 255/);
      expect(end).to.have.nested.property('result.exitCode', 255);
      const long = await host.run(commandOf([], { shell: `false ${'x'.repeat(200)}` }));
      expect(reasonOf(long).message).to.match(/^the command "false x{91}…" exited with status 1/);
    }));

  it('names the last line of what it printed, where that is known', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['make']), {
        command: async () => ({ ended: 'exited', exitCode: 2, output: 'one\nmake: *** no rule\n\n' }),
      });
      expect(reasonOf(end).message).to.equal('the command "make" exited with status 2: make: *** no rule');
      expect(reasonOf(end).facts).to.deep.equal({ exit_code: '2', output: 'make: *** no rule' });
    }));

  it('fails with the signal it died by, or because it is not there', () =>
    withRelease(async (host) => {
      const died = reasonOf(await host.run(commandOf([program('dies-by-signal.sh'), 'SEGV'])));
      expect(died.message).to.match(/was ended by SIGSEGV$/);
      expect(died.facts).to.deep.equal({ signal: 'SIGSEGV' });
      const missing = reasonOf(await host.run(commandOf(['no-such-program'])));
      expect(missing.code).to.equal('command_not_found');
      expect(missing.message).to.match(
        /^the command "no-such-program" could not be started: no-such-program: no such program in/,
      );
    }));

  it('says so when the disk is full', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['npm', 'ci']), {
        command: async () => ({
          ended: 'exited',
          exitCode: 228,
          output: 'npm ERR! ENOSPC: no space left on device, write\n',
        }),
      });
      expect(reasonOf(end).code).to.equal('disk_full');
    }));

  it('is cancelled, timed out or interrupted by others, never failed', () =>
    withRelease(async (host) => {
      const endWith = async (why: ReturnType<typeof reason>, ended: 'stopped' | 'unknown'): Promise<string> =>
        (await host.run(commandOf(['x']), { command: async () => ({ ended, reason: why }) })).outcome;
      expect(await endWith(reason('cancelled', 'x'), 'stopped')).to.equal(Outcome.CANCELLED);
      expect(await endWith(reason('timed_out', 'x'), 'stopped')).to.equal(Outcome.FAILED);
      expect(await endWith(reason('outcome_unknown', 'x'), 'unknown')).to.equal(Outcome.INTERRUPTED);
    }));

  it('is stopped with all it started when the step is', () =>
    withRelease(async (host) => {
      const stop = new AbortController();
      const run = host.run(commandOf([program('ignores-sigterm.sh')]), { signal: stop.signal });
      await until('it is ready', async () => (await logOf(host, 's1').catch(() => '')).includes('ready'));
      stop.abort(reason('cancelled', 'somebody cancelled it'));
      expect(await run).to.deep.equal({
        outcome: Outcome.CANCELLED,
        reason: reason('cancelled', 'somebody cancelled it'),
      });
    }));

  it('runs as the step’s user before the target’s', () =>
    withRelease(
      async (host) => {
        await host.run(commandOf(['true'], { user: 'builder' }));
        await host.run(commandOf(['true']));
        expect(host.commands.map(({ user }) => user)).to.deep.equal(['builder', 'checkout']);
      },
      { user: 'checkout' },
    ));
});

describe('a step', () => {
  it('that this agent does not know fails with the word to upgrade', () =>
    withRelease(async (host) => {
      const end = await host.run(undefined);
      expect(reasonOf(end).message).to.equal('this agent does not know what the step s1 is');
    }));

  it('whose commit is no commit fails without touching anything', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['true'], { commit: '../..' }));
      expect(reasonOf(end).code).to.equal('protocol_violation');
      expect(host.commands).to.deep.equal([]);
    }));

  it('throws only when the agent is broken', () =>
    withRelease(async (host) => {
      const run = host.run(commandOf(['true']), {
        command: () => Promise.reject(new Error('the disk is gone')),
      });
      expect(await run.catch((error: unknown) => error)).to.have.property('message', 'the disk is gone');
      await writeExecutable(join(host.folder, 'x'), '');
      const stage = host.run(
        { $case: 'stage', value: { commit: COMMIT } },
        { command: () => Promise.reject(new Error('gone')) },
      );
      expect(await stage.catch((error: unknown) => error)).to.have.property('message', 'gone');
    }));
});
