import { expect } from 'chai';
import type { Assignment } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { systemDisk, type Disk } from '../../agent/disk.js';
import { createRunFolder } from '../../agent/run-folder.js';
import type { ExecSpec } from '../../agent/exec/exec.js';
import { Runs } from '../../agent/runs.js';
import { until } from '../support/until.js';
import { aCommand, aMigration, anAssignment, aStage, told, withFolder } from './builders.js';
import { FakeExec } from './fake-exec.js';
import { aHost, finished, withRuns, type TestHost } from './host.js';
import { mortalDisk } from './mortal-disk.js';

const KINDS = {
  'a repeatable command': aCommand('step'),
  'a command that must not be repeated': aCommand('step', ['true'], { repeatable: false }),
  'a migration': aMigration('step'),
  'a step of several commands': aStage('step'),
} as const satisfies Record<string, Step>;

const FOUND = {
  'not recorded': null,
  absent: { ended: 'absent' },
  running: { ended: 'running' },
  'ended well': { ended: 'exited', exitCode: 0 },
  'ended badly': { ended: 'exited', exitCode: 1 },
  'died by a signal': { ended: 'signalled', signal: 'SIGKILL' },
} as const;

const BOOTS = ['boot-1', 'boot-2'] as const;

type Kind = keyof typeof KINDS;
type Found = keyof typeof FOUND;

/** Law 5 as a table: what the agent must tell after a restart. `null`: it takes the command up and tells its end. */
function expectedOf(kind: Kind, found: Found, boot: (typeof BOOTS)[number]): readonly string[] {
  const { repeatable } = KINDS[kind];
  const single = kind !== 'a step of several commands';
  if (single && boot === 'boot-1' && found === 'not recorded') return ['-step#1 succeeded', 'run succeeded'];
  if (single && boot === 'boot-1' && found !== 'absent') {
    const end = found === 'running' || found === 'ended well' ? 'succeeded' : 'failed: command_failed';
    return ['.step#1 adopted', `-step#1 ${end}`, `run ${end}`];
  }
  if (repeatable) return ['+step#2', '-step#2 succeeded', 'run succeeded'];
  const code = boot === 'boot-1' ? 'outcome_unknown' : 'host_rebooted';
  return [`-step#1 interrupted: ${code}`, `run interrupted: ${code}`];
}

describe('after a restart of the agent', () => {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    for (const found of Object.keys(FOUND) as Found[]) {
      for (const boot of BOOTS) {
        it(`${kind} whose command is found ${found} on ${boot === 'boot-1' ? 'the same' : 'another'} boot is dealt with`, () =>
          withFolder(async (folder) => {
            const host = aHost(folder, { bootId: boot });
            const wasStarted = await leftBehind(host, KINDS[kind], FOUND[found]);
            await withRuns(host, async (runs) => {
              if (found === 'running') await endAdopted(host);
              const events = await finished(runs);
              expect(told(events).slice(2)).to.deep.equal(expectedOf(kind, found, boot));
              if (!KINDS[kind].repeatable)
                expect(host.exec.started.length + (wasStarted ? 1 : 0)).to.be.at.most(1);
              expect(await runs.get('r_1')?.folder.commands()).to.deep.equal([]);
            });
          }));
      }
    }
  }

  it('a running command has what is left of its limit', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aMigration('step'), { ended: 'running' });
      host.clock.advance(15_000);
      await withRuns(host, async (runs) => {
        await until(
          'the rest of the limit',
          () => host.clock.sleepers(5_000) === 1 && host.clock.sleepers(5_001) === 0,
        );
        host.clock.advance(5_000);
        const events = await finished(runs);
        expect(told(events).slice(2)).to.deep.equal([
          '.step#1 adopted',
          '-step#1 failed: timed_out',
          'run failed: timed_out',
        ]);
        const end = events.at(-2)?.event;
        expect(end?.$case === 'stepFinished' && end.value.durationMs).to.equal(20_000);
      });
    }));

  it('a command that ended while no agent looked keeps its end, also when its limit has passed since', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aMigration('step'), { ended: 'exited', exitCode: 0 });
      host.clock.advance(60_000);
      await withRuns(host, async (runs) => {
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
      });
      expect(host.exec.stopped).to.deep.equal([]);
    }));

  it('a command that still runs past its limit is stopped', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aCommand('step'), { ended: 'running' });
      host.clock.advance(60_000);
      await withRuns(host, async (runs) => {
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: timed_out');
      });
      expect(host.exec.stopped).to.deep.equal(['r_1-step-1-1']);
    }));

  it('every leftover command of a step is stopped before it is repeated', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aStage('step'), { ended: 'running' });
      await withRuns(host, async (runs) => {
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
      });
      expect(host.exec.stopped).to.deep.equal(['r_1-step-1-1']);
    }));

  it('a step whose leftovers cannot be stopped is not repeated', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      host.exec.stoppable = false;
      await leftBehind(host, aStage('step'), { ended: 'running' });
      await withRuns(host, async (runs) => {
        await until('the stop', () => host.exec.stopped.length === 1 && host.clock.sleepers() === 1);
        host.clock.advance(6_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run interrupted: outcome_unknown');
      });
      expect(host.exec.started).to.deep.equal([]);
    }));

  it('an agent that is stopped while it stops leftovers leaves them to the next', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      host.exec.stoppable = false;
      await leftBehind(host, aStage('step'), { ended: 'running' });
      await withRuns(host, () => until('the stop', () => host.exec.stopped.length === 1));
      host.exec.stoppable = true;
      await withRuns(host, async (runs) => {
        expect(told(await finished(runs)).slice(2)).to.deep.equal([
          '+step#2',
          '-step#2 succeeded',
          'run succeeded',
        ]);
      });
    }));

  it('a unit that was just about to start is not taken for absent', () =>
    withFolder(async (folder) => {
      const host = aHost(folder, { exec: new FakeExec('transient_unit') });
      await leftBehind(host, aMigration('step'), { ended: 'absent' });
      await withRuns(host, async (runs) => {
        await until('the second look', () => host.clock.sleepers() === 1);
        host.exec.set('r_1-step-1-1', { ended: 'exited', exitCode: 0 });
        host.clock.advance(1_000);
        expect(told(await finished(runs)).slice(2)).to.deep.equal([
          '.step#1 adopted',
          '-step#1 succeeded',
          'run succeeded',
        ]);
      });
    }));

  it('a step that brings the agent down every time is given up', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aStage('step'), { ended: 'absent' }, 5);
      await withRuns(host, async (runs) => {
        expect(told(await finished(runs)).slice(2)).to.deep.equal([
          '-step#5 interrupted: outcome_unknown',
          'run interrupted: outcome_unknown',
        ]);
      });
    }));

  it('says nothing a second time in the log of a step that is taken up', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aMigration('step'), { ended: 'exited', exitCode: 0 });
      await withRuns(host, async (runs) => {
        await finished(runs);
        expect(
          await systemDisk.size(runs.get('r_1')?.folder.logPath({ step: 'step', attempt: 1 }) ?? ''),
        ).to.equal(0);
      });
    }));

  it('a run that had been cancelled stops what it finds', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aCommand('step'), { ended: 'running' });
      await withRuns(host, async (runs) => {
        await until('the command to be taken up', () => host.clock.sleepers() === 1);
        runs.cancel('r_1', reason('cancelled', 'so'));
        expect(told(await finished(runs)).at(-1)).to.equal('run cancelled: cancelled');
      });
      expect(host.exec.stopped).to.deep.equal(['r_1-step-1-1']);
    }));

  it('a run whose assignment was not stored was never begun', () =>
    withFolder(async (folder) => {
      await systemDisk.makeFolder(`${folder}/runs/r_1`);
      await withRuns(aHost(folder), async (runs) => {
        expect(runs.unfinished()).to.deep.equal([]);
        expect(await systemDisk.list(`${folder}/runs`)).to.deep.equal([]);
        await Promise.resolve();
      });
    }));

  it('a disk that fails while runs are read stops the agent from starting', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      await leftBehind(host, aCommand('step'), null);
      const disk: Disk = { ...systemDisk, openForAppend: () => Promise.reject(new Error('EIO')) };
      const error = await new Runs({ ...host, disk }).open().catch((why: unknown) => why);
      expect(error).to.have.property('message', 'EIO');
    }));
});

describe('an agent killed before any write to its disk (row 2)', () => {
  const assignment = anAssignment([
    aCommand('install'),
    aMigration(),
    aStage(),
    aCommand('hook', ['x'], { repeatable: false }),
  ]);

  it('never runs twice what must not be, and ends every run', async () => {
    const writes = await withFolder((folder) => countWrites(folder, assignment));
    expect(writes).to.be.greaterThan(20);
    for (let at = 1; at < writes; at += 1) await withFolder((folder) => killedAt(folder, assignment, at));
  });
});

/** A run whose first step was begun by an agent that is no more. True when its command was started. */
async function leftBehind(
  host: TestHost,
  step: Step,
  found: (typeof FOUND)[Found],
  attempt = 1,
): Promise<boolean> {
  const folder = await createRunFolder(host.disk, `${host.stateFolder}/runs/r_1`, anAssignment([step]));
  const at = host.clock.now();
  await folder.append(at, { $case: 'runStarted', value: { bootId: 'boot-1' } });
  await folder.append(at, { $case: 'stepStarted', value: { step: 'step', attempt, bootId: 'boot-1' } });
  if (found !== null) {
    const id = `r_1-step-${attempt}-1`;
    const outputFile = folder.logPath({ step: 'step', attempt });
    const spec: ExecSpec = {
      id,
      argv: ['x'],
      cwd: '/',
      user: null,
      environment: { SECRET: 'x' },
      environmentFile: null,
      outputFile,
      captureFile: null,
      folder: folder.path,
      graceMs: 1,
    };
    await folder.recordCommand({ step: 'step', attempt, number: 1, spec });
    if (found.ended !== 'absent') host.exec.set(id, found);
  }
  await folder.close();
  return found !== null && found.ended !== 'absent';
}

/** A command taken up ends well a little later; one that is stopped instead needs nothing. */
async function endAdopted(host: TestHost): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { ended } = await host.exec.look({ id: 'r_1-step-1-1' } as ExecSpec);
  if (ended === 'running') host.exec.set('r_1-step-1-1', { ended: 'exited', exitCode: 0 });
}

async function countWrites(folder: string, assignment: Assignment): Promise<number> {
  const mortal = mortalDisk(Infinity);
  await withRuns(aHost(folder, { disk: mortal.disk }), async (runs) => {
    await runs.accept(assignment);
    await finished(runs);
  });
  return mortal.writes();
}

/** Dies at one write, and begins again over what is on the disk and still running. */
async function killedAt(folder: string, assignment: Assignment, at: number): Promise<void> {
  const host = aHost(folder);
  const mortal = mortalDisk(at);
  const first = new Runs({ ...host, disk: mortal.disk });
  void first.open().then(() => first.accept(assignment));
  await mortal.dead;
  await withRuns(host, async (runs) => {
    await runs.accept(assignment);
    const words = told(await finished(runs));
    const counts = (step: string) => host.exec.started.filter((id) => id.startsWith(`r_1-${step}-`)).length;
    expect(counts('migrate'), `killed at write ${at}: ${words.join(', ')}`).to.be.at.most(1);
    expect(counts('hook')).to.be.at.most(1);
    expect(words.at(-1), `killed at write ${at}: ${words.join(', ')}`).to.equal('run succeeded');
  });
  await mortal.bury();
}
