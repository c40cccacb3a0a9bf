import { expect } from 'chai';
import { Outcome, type Assignment, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import type { ExecSpec } from '../../agent/exec/exec.js';
import { Runs } from '../../agent/runs.js';
import { until } from '../support/until.js';
import { aCommand, anAssignment, told, withFolder } from './builders.js';
import type { FakeExec } from './fake-exec.js';
import { aHost, finished, plainStep, withRuns, type TestHost } from './host.js';
import { mortalDisk } from './mortal-disk.js';

const CANCEL = reason('cancelled', 'somebody said so');
const fails = (name: string, more: Partial<Step> = {}): Step => aCommand(name, ['fails'], more);
const settles = (name: string): Step => aCommand(name, ['settles']);
const ONCE = { repeatable: false };
const MAY_FAIL = { mayFail: true };
const AFTER = { afterFailure: true };

/** The first word of a command says what becomes of it. */
function script({ argv }: ExecSpec): ReturnType<FakeExec['script']> {
  if (argv[0] === 'hangs') return { ended: 'running' };
  return { ended: 'exited', exitCode: argv[0] === 'fails' ? 3 : 0 };
}

const runStep: TestHost['runStep'] = async (step, context) => {
  const end = await plainStep(step, context);
  const settled = step.action?.$case === 'command' && step.action.value.argv[0] === 'settles';
  return settled && end.outcome === Outcome.SUCCEEDED ? { ...end, result: { settled } } : end;
};

/** What a run of these steps tells. */
function tell(steps: readonly Step[]): Promise<readonly string[]> {
  return withFolder(async (folder) => {
    const host = scripted(folder);
    return withRuns(host, async (runs) => {
      await runs.accept(anAssignment(steps));
      return told(await finished(runs));
    });
  });
}

function scripted(folder: string, more: Partial<TestHost> = {}): TestHost {
  const host = aHost(folder, { runStep, ...more });
  if (more.exec === undefined) host.exec.script = script;
  return host;
}

describe('a step that may fail', () => {
  it('fails by itself, and the run goes on and succeeds', async () => {
    expect(await tell([fails('hook', MAY_FAIL), aCommand('next')])).to.deep.equal([
      'run started',
      '+hook#1',
      '-hook#1 failed: command_failed',
      '+next#1',
      '-next#1 succeeded',
      'run succeeded',
    ]);
  });

  it('does not hide the failure of another', async () => {
    expect(
      (await tell([fails('hook', MAY_FAIL), aCommand('x'), fails('real'), aCommand('never')])).slice(-3),
    ).to.deep.equal(['+real#1', '-real#1 failed: command_failed', 'run failed: command_failed']);
  });

  it('goes on too when its outcome is not known, and is not run twice', () =>
    withFolder(async (folder) => {
      const host = scripted(folder);
      const steps = [aCommand('hook', ['hangs'], { ...ONCE, ...MAY_FAIL }), aCommand('next')];
      await withRuns(host, async (runs) => {
        await runs.accept(anAssignment(steps));
        await until('the hook to run', () => host.exec.started.length === 1);
      });
      const rebooted = scripted(folder, { bootId: 'boot-2' });
      await withRuns(rebooted, async (runs) => {
        expect(told(await finished(runs)).slice(2)).to.deep.equal([
          '-hook#1 interrupted: host_rebooted',
          '+next#1',
          '-next#1 succeeded',
          'run succeeded',
        ]);
        expect(rebooted.exec.started).to.deep.equal(['r_1-next-1-1']);
      });
    }));

  it('ends the run when it is cancelled', () =>
    cancelledDuring([aCommand('hook', ['hangs'], MAY_FAIL), aCommand('next')], 'hook', [
      '-hook#1 cancelled: cancelled',
      'run cancelled: cancelled',
    ]));
});

describe('a step for after a failure', () => {
  it('runs although an earlier one failed, and the first reason stays', async () => {
    expect(
      await tell([fails('one'), aCommand('two'), aCommand('look', ['true'], AFTER), aCommand('three')]),
    ).to.deep.equal([
      'run started',
      '+one#1',
      '-one#1 failed: command_failed',
      '+look#1',
      '-look#1 succeeded',
      'run failed: command_failed',
    ]);
  });

  it('runs in its turn where nothing failed', async () => {
    const said = await tell([aCommand('one'), aCommand('look', ['true'], AFTER), aCommand('two')]);
    expect(said.slice(3)).to.deep.equal([
      '+look#1',
      '-look#1 succeeded',
      '+two#1',
      '-two#1 succeeded',
      'run succeeded',
    ]);
  });

  it('leaves the first reason when it fails too', () =>
    withFolder(async (folder) => {
      await withRuns(scripted(folder), async (runs) => {
        const last = aCommand('gone', ['true'], AFTER);
        await runs.accept(anAssignment([fails('one'), fails('look', AFTER), last]));
        const events = await finished(runs);
        expect(told(events).slice(3)).to.deep.equal([
          '+look#1',
          '-look#1 failed: command_failed',
          '+gone#1',
          '-gone#1 succeeded',
          'run failed: command_failed',
        ]);
      });
    }));

  it('does not run when the run was cancelled, nor when its outcome is not known', async () => {
    await cancelledDuring([aCommand('one', ['hangs']), aCommand('look', ['true'], AFTER)], 'one', [
      '-one#1 cancelled: cancelled',
      'run cancelled: cancelled',
    ]);
    await withFolder(async (folder) => {
      const host = scripted(folder);
      const steps = [aCommand('one', ['hangs'], ONCE), aCommand('look', ['true'], AFTER)];
      await withRuns(host, async (runs) => {
        await runs.accept(anAssignment(steps));
        await until('the command to run', () => host.exec.started.length === 1);
      });
      await withRuns(scripted(folder, { bootId: 'boot-2' }), async (runs) => {
        expect(told(await finished(runs)).slice(2)).to.deep.equal([
          '-one#1 interrupted: host_rebooted',
          'run interrupted: host_rebooted',
        ]);
      });
    });
  });

  it('that is cancelled itself, or not begun for that, leaves the run failed for the first reason', async () => {
    const steps = [fails('one'), aCommand('look', ['hangs'], AFTER), aCommand('more', ['true'], AFTER)];
    await cancelledDuring(steps, 'look', ['-look#1 cancelled: cancelled', 'run failed: command_failed']);
    await withFolder((folder) => {
      const host = scripted(folder);
      return withRuns(host, async (runs) => {
        const { forget } = host.exec;
        host.exec.forget = (spec) => {
          runs.cancel('r_1', CANCEL);
          return forget.call(host.exec, spec);
        };
        await runs.accept(anAssignment([fails('one'), aCommand('look', ['true'], AFTER)]));
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: command_failed');
        expect(host.exec.started).to.deep.equal(['r_1-one-1-1']);
      });
    });
  });
});

describe('a step that says all is settled', () => {
  it('ends the run well, and no later step is begun', async () => {
    expect(
      await tell([settles('preflight'), fails('install'), aCommand('look', ['true'], AFTER)]),
    ).to.deep.equal(['run started', '+preflight#1', '-preflight#1 succeeded', 'run succeeded']);
  });

  it('does not make good what failed before it', async () => {
    const settling = { ...settles('look'), ...AFTER };
    expect((await tell([fails('one'), settling, aCommand('two', ['true'], AFTER)])).slice(2)).to.deep.equal([
      '-one#1 failed: command_failed',
      '+look#1',
      '-look#1 succeeded',
      'run failed: command_failed',
    ]);
  });
});

describe('an agent killed before any write of a run with such steps (row 2)', () => {
  const COURSES: Readonly<Record<string, readonly Step[]>> = {
    'hooks that fail and may': [
      aCommand('one'),
      fails('hook_a', { ...ONCE, ...MAY_FAIL }),
      fails('hook_b', MAY_FAIL),
      aCommand('two'),
    ],
    'a failure with looks behind it': [
      fails('one', ONCE),
      aCommand('skipped'),
      fails('look_a', { ...ONCE, ...AFTER }),
      aCommand('look_b', ['true'], AFTER),
      fails('look_c', { ...AFTER, ...MAY_FAIL }),
    ],
    'a settled host': [aCommand('hook', ['true'], ONCE), settles('preflight'), aCommand('install')],
  };

  for (const [what, steps] of Object.entries(COURSES)) {
    it(`comes to the same end: ${what}`, async () => {
      const assignment = anAssignment(steps);
      const { writes, ends } = await withFolder((folder) => undisturbed(folder, assignment));
      expect(writes).to.be.greaterThan(10);
      for (let at = 1; at < writes; at += 1)
        await withFolder((folder) => killedAt(folder, assignment, at, ends));
    });
  }
});

/** How each step that was begun ended, and the run: what must not depend on when the agent died. */
function endsOf(events: readonly RunEvent[]): Readonly<Record<string, string>> {
  const ends: Record<string, string> = {};
  for (const word of told(events)) {
    const [, step, end] = /^-(\w+)#\d+ (.*)$/.exec(word) ?? ['', '', ''];
    if (step !== undefined && step !== '') ends[step] = end ?? '';
    if (word.startsWith('run ') && word !== 'run started') ends['the run'] = word;
  }
  return ends;
}

async function undisturbed(
  folder: string,
  assignment: Assignment,
): Promise<{ writes: number; ends: ReturnType<typeof endsOf> }> {
  const mortal = mortalDisk(Infinity);
  return withRuns(scripted(folder, { disk: mortal.disk }), async (runs) => {
    await runs.accept(assignment);
    const ends = endsOf(await finished(runs));
    return { writes: mortal.writes(), ends };
  });
}

async function killedAt(
  folder: string,
  assignment: Assignment,
  at: number,
  ends: ReturnType<typeof endsOf>,
): Promise<void> {
  const host = scripted(folder);
  const mortal = mortalDisk(at);
  const first = new Runs({ ...host, disk: mortal.disk });
  void first.open().then(() => first.accept(assignment));
  await mortal.dead;
  await withRuns(host, async (runs) => {
    await runs.accept(assignment);
    const events = await finished(runs);
    expect(endsOf(events), `killed at write ${at}: ${told(events).join(', ')}`).to.deep.equal(ends);
    for (const { name } of assignment.steps.filter((step) => !step.repeatable)) {
      const starts = host.exec.started.filter((id) => id.startsWith(`r_1-${name}-`));
      expect(starts, `killed at write ${at}`).to.have.length.of.at.most(1);
    }
  });
  await mortal.bury();
}

/** Cancels the run while the step runs, and compares what it tells after the start of that step. */
async function cancelledDuring(
  steps: readonly Step[],
  step: string,
  expected: readonly string[],
): Promise<void> {
  await withFolder(async (folder) => {
    const host = scripted(folder);
    await withRuns(host, async (runs) => {
      await runs.accept(anAssignment(steps));
      await until('the step to run', () => host.exec.started.some((id) => id.startsWith(`r_1-${step}-`)));
      runs.cancel('r_1', CANCEL);
      const words = told(await finished(runs));
      expect(words.slice(words.indexOf(`+${step}#1`) + 1)).to.deep.equal(expected);
    });
  });
}
