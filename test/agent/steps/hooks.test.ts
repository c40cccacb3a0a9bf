import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { placeOf } from '../../../agent/steps/place.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { Command, Phase, type Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { program, withFolder } from '../exec/a-spec.js';
import { aHost } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

const commandOf = (argv: string[], more: Partial<Command> = {}): AnAction => ({
  $case: 'command',
  value: Command.fromPartial({ argv, commit: COMMIT, ...more }),
});

/** A staged release with its mark. */
async function withRelease(
  use: (host: TestHost, release: string) => Promise<void>,
  target: Partial<Target> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder, target);
    const release = join(host.target.appPath, 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    const stagedAt = new Date(0).toISOString();
    await writeReleaseMark(host.target, {
      commit: COMMIT,
      stagedAt,
      activatedAt: null,
      provenGoodAt: null,
      previous: null,
    });
    await use(host, release);
  });
}

function failureOf(end: StepEnd): { code: string; message: string; facts: Record<string, string> } {
  return end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;
}

describe('a hook', () => {
  const before = (argv: string[], more: Partial<Command> = {}): AnAction =>
    commandOf(argv, { hook: 'before_restart', ...more });

  it('is told where it was hooked in, its own variables, and what every command is told', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'env'), 'PORT=8123\nCOLOUR=of the host\n');
      const host = await aHost(folder, { environmentFile: join(folder, 'env'), user: '' });
      await mkdir(join(host.target.appPath, 'releases', COMMIT), { recursive: true });
      await host.run(before([program('prints-surroundings.sh')], { environment: { CHANNEL: '#ops' } }));
      const log = (await readFile(join(host.stateFolder, 'runs/r_1-s1-1-1.log'), 'utf8')).split('\n');
      for (const line of [
        'FRAISIER_HOOK=before_restart',
        'CHANNEL=#ops',
        'PORT=8123',
        'FRAISIER_FRAISE=checkout',
        `FRAISIER_COMMIT=${COMMIT}`,
      ])
        expect(log).to.include(line);
    }));

  it('that fails says which it was', () =>
    withRelease(async (host) => {
      const failed = failureOf(await host.run(before(['sh', '-c', 'echo drained: no; exit 4'])));
      expect(failed.code).to.equal('hook_failed');
      expect(failed.message).to.match(
        /^the hook before_restart: the command "sh -c .*" exited with status 4/,
      );
      expect(failed.facts).to.include({ exit_code: '4', hook: 'before_restart' });
      const missing = failureOf(await host.run(before(['no-such-program'])));
      expect([missing.code, missing.facts['hook']]).to.deep.equal(['command_not_found', 'before_restart']);
    }));

  it('written for a shell is quoted without it, and no longer than a sentence bears', () =>
    withRelease(async (host) => {
      const { message } = failureOf(await host.run(before([], { shell: `exit 3 # ${'x'.repeat(200)}` })));
      expect(message).to.match(
        /^the hook before_restart: the command "exit 3 # x{88}…" exited with status 3$/,
      );
    }));

  it('that is not known to have ended is interrupted', () =>
    withRelease(async (host) => {
      const unknown = { ended: 'unknown', reason: reason('outcome_unknown', 'gone') } as const;
      const end = await host.run(before(['x']), { command: async () => unknown });
      expect([end.outcome, failureOf(end).facts['hook']]).to.deep.equal([
        Outcome.INTERRUPTED,
        'before_restart',
      ]);
      const fine = await host.run(before(['true']));
      expect(fine).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { exitCode: 0 } });
    }));

  it('before there is a release runs in app_path, as the user of the fraise or its own', () =>
    withRelease(
      async (host, release) => {
        const early = (more: Partial<Command>): AnAction =>
          commandOf(['true'], { hook: 'before_deploy', commit: '', ...more });
        const inDeployment: Partial<StepContext> = { commit: COMMIT };
        await host.run(early({}), inDeployment);
        await host.run(early({ user: 'ops' }), inDeployment);
        const [first, second] = host.commands;
        expect(first).to.include({ cwd: host.target.appPath, user: 'checkout' });
        expect(first?.environment).to.include({
          FRAISIER_HOOK: 'before_deploy',
          FRAISIER_COMMIT: COMMIT,
          FRAISIER_RELEASE: release,
        });
        expect(second?.user).to.equal('ops');
      },
      { user: 'checkout' },
    ));
});

describe('what is done once per release', () => {
  const install = { oncePerRelease: true };
  const named = (host: TestHost, spec: Partial<Command>, step = 'install'): Promise<StepEnd> => {
    const value = Command.fromPartial({ argv: ['sh', '-c', 'echo x >> ran'], commit: COMMIT, ...spec });
    return host.run({ $case: 'command', value }, { step: { ...STEP, name: step } });
  };
  const STEP = {
    name: '',
    timeoutMs: 1,
    repeatable: true,
    mayFail: false,
    afterFailure: false,
    action: undefined,
  };
  const times = async (release: string): Promise<number> =>
    (await readFile(join(release, 'ran'), 'utf8')).trim().split('\n').length;

  it('is not run again where it succeeded, and says so', () =>
    withRelease(async (host, release) => {
      expect(await named(host, install)).to.have.nested.property('result.exitCode', 0);
      const again = await named(host, install);
      expect(again).to.have.nested.property(
        'result.summary',
        'not run again: it succeeded in this release before',
      );
      expect(host.log.at(-1)).to.equal('not run again: it succeeded in this release before');
      expect(await times(release)).to.equal(1);
      expect(await readReleaseMark(host.target, COMMIT)).to.have.property(
        'stagedAt',
        new Date(0).toISOString(),
      );
    }));

  it('is run again when the command, its user or its variables are others, or the step is', () =>
    withRelease(async (host, release) => {
      await named(host, { ...install, environment: { B: '1', A: '2' } });
      await named(host, { ...install, environment: { A: '2', B: '1' } });
      expect(await times(release)).to.equal(1);
      await named(host, { ...install, environment: { A: '2' } });
      await named(host, { ...install, environment: { A: '2' }, argv: ['sh', '-c', 'echo y >> ran'] });
      await named(host, install, 'other');
      expect(await times(release)).to.equal(4);
      await host.run(
        {
          $case: 'command',
          value: Command.fromPartial({ ...install, argv: ['true'], user: 'x', commit: COMMIT }),
        },
        { step: { ...STEP, name: 'other' } },
      );
      expect(host.commands.at(-1)?.user).to.equal('x');
    }));

  it('is run again after it failed, or when it is asked for in spite of all', () =>
    withRelease(async (host, release) => {
      const failing = { ...install, argv: ['sh', '-c', 'echo x >> ran; exit 1'] };
      await named(host, failing);
      await named(host, failing);
      expect(await times(release)).to.equal(2);
      await named(host, install);
      await named(host, { oncePerRelease: false });
      expect(await times(release)).to.equal(4);
    }));

  it('is remembered also when it was asked for in spite of all, but a hook is not', () =>
    withRelease(async (host, release) => {
      await named(host, { oncePerRelease: false });
      await named(host, install);
      expect(await times(release)).to.equal(1);
      await named(host, { hook: 'after_health' }, 'after_health');
      expect((await readReleaseMark(host.target, COMMIT))?.done).to.have.all.keys('install');
    }));

  it('is not remembered of a checkout: what is installed there says nothing of the next worktree', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder, { layout: 'LAYOUT_IN_PLACE' });
      await mkdir(host.target.appPath);
      const place = placeOf(host);
      await mkdir(join(place.appPath, 'releases'), { recursive: true });
      const never = { activatedAt: null, provenGoodAt: null, previous: null };
      await writeReleaseMark(place, { commit: COMMIT, stagedAt: new Date(0).toISOString(), ...never });
      const inRelease = { phase: Phase.RELEASE, step: { ...STEP, name: 'install' } };
      const end = await host.run(commandOf(['true']), inRelease);
      expect(end.outcome).to.equal(Outcome.SUCCEEDED);
      expect((await readReleaseMark(place, COMMIT))?.done).to.equal(undefined);
    }));

  it('is forgotten when it is asked for in spite of all and breaks off', () =>
    withRelease(async (host, release) => {
      await named(host, install);
      await named(host, { oncePerRelease: false, argv: ['false'] });
      await named(host, install);
      expect(await times(release)).to.equal(2);
    }));

  it('is not remembered of a release that has no mark', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      const release = join(host.target.appPath, 'releases', COMMIT);
      await mkdir(release, { recursive: true });
      await named(host, install);
      await named(host, install);
      expect(await times(release)).to.equal(2);
    }));
});
