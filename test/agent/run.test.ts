import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Outcome, type StepFinished, type RunFinished } from '../../proto/gen/fraisier/v1/agent.js';
import { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../../proto/error-codes.js';
import { systemDisk, type Disk } from '../../agent/disk.js';
import { Lease } from '../../agent/lease.js';
import { LOG_CAP_BYTES } from '../../agent/log-cap.js';
import type { Runs } from '../../agent/runs.js';
import type { StepContext } from '../../agent/steps/step.js';
import { traceOf } from '../../agent/trace.js';
import { until } from '../support/until.js';
import { aCommand, aMigration, anAssignment, aStage, told, withFolder } from './builders.js';
import { forever } from './fake-exec.js';
import { aHost, finished, hasTold, plainStep, withRuns, type TestHost } from './host.js';

const CANCEL = reason('cancelled', 'somebody said so');

describe('a run', () => {
  it('works its steps off in order and says what is live at its end', () =>
    onHost({}, async (host, runs) => {
      await runs.accept(anAssignment([aStage(), aCommand('install')]));
      const events = await finished(runs);
      expect(told(events)).to.deep.equal([
        'run started',
        '+stage#1',
        '-stage#1 succeeded',
        '+install#1',
        '-install#1 succeeded',
        'run succeeded',
      ]);
      expect(host.exec.started).to.deep.equal(['r_1-stage-1-1', 'r_1-stage-1-2', 'r_1-install-1-1']);
      expect(host.exec.forgotten).to.deep.equal(host.exec.started);
      expect(runEnd(events).liveRelease).to.equal('live');
      expect(stepEnds(events)[1]).to.deep.include({ logBytes: '$ true\n'.length, logTruncated: false });
    }));

  it('ends with the first step that fails, and starts none after it', () =>
    onHost({}, async (host, runs) => {
      host.exec.script = () => ({ ended: 'exited', exitCode: 3 });
      await runs.accept(anAssignment([aCommand('one'), aCommand('two')]));
      expect(told(await finished(runs))).to.deep.equal([
        'run started',
        '+one#1',
        '-one#1 failed: command_failed',
        'run failed: command_failed',
      ]);
    }));

  it('hands a failing command the end of what it printed, and only of that', () =>
    onHost({}, async (host, runs) => {
      const texts = ['first command\n', `${'x'.repeat(5000)}last words\n`];
      host.exec.script = ({ id }) => ({ ended: 'exited', exitCode: id.endsWith('-1') ? 0 : 1 });
      host.exec.prints = () => texts.shift() ?? '';
      await runs.accept(anAssignment([aStage()]));
      const said = runEnd(await finished(runs)).reason?.message ?? '';
      expect(said)
        .to.have.length(4096)
        .and.match(/^x+last words\n$/);
    }));

  it('keeps captured output apart from the log, and removes it afterwards', () =>
    onHost({ runStep: captureStep }, async (host, runs) => {
      host.exec.prints = () => '{"pending":[]}';
      await runs.accept(anAssignment([aCommand('status')]));
      const events = await finished(runs);
      expect(stepEnds(events)[0]?.result?.summary).to.equal('{"pending":[]}');
      expect(stepEnds(events)[0]?.logBytes).to.equal(0);
      const [spec] = host.exec.specs;
      expect(spec).to.deep.include({ user: 'app', environmentFile: '/etc/env', cwd: '/srv' });
      expect(await systemDisk.read(spec?.captureFile ?? '')).to.equal(null);
    }));

  it('records notes with their facts', () =>
    onHost({ runStep: noteStep }, async (_, runs) => {
      await runs.accept(anAssignment([aCommand('health')]));
      const events = await finished(runs);
      expect(told(events)).to.include('.health#1 health_attempt');
      const note = events.find(({ event }) => event?.$case === 'stepNote')?.event;
      expect(note?.value).to.deep.include({ message: 'answered 200', facts: { status: '200' } });
    }));

  it('keeps at most the cap of an attempt, and says that there was more', () =>
    onHost({}, async (host, runs) => {
      host.exec.prints = () => 'x'.repeat(LOG_CAP_BYTES);
      await runs.accept(anAssignment([aCommand('flood')]));
      expect(stepEnds(await finished(runs))[0]).to.deep.include({
        logBytes: LOG_CAP_BYTES,
        logTruncated: true,
      });
    }));

  it('takes the limit of ten minutes for a step that names none', () =>
    onHost({}, async (host, runs) => {
      host.exec.script = () => ({ ended: 'running' });
      await runs.accept(anAssignment([aCommand('slow', ['slow'], { timeoutMs: 0 })]));
      await until(
        'the command to run',
        () => host.exec.started.length === 1 && host.clock.sleepers(600_000) === 1,
      );
      host.clock.advance(600_000);
      expect(told(await finished(runs)).at(-1)).to.equal('run failed: timed_out');
    }));

  describe('and the policy', () => {
    it('begins nothing when it refuses', () =>
      onHost({ checkPolicy: () => Promise.resolve(reason('policy_refused', 'no')) }, async (host, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        expect(told(await finished(runs))).to.deep.equal(['run started', 'run failed: policy_refused']);
        expect(host.exec.started).to.deep.equal([]);
      }));

    it('fails with the reason for which it cannot be read', () =>
      onHost(
        { loadPolicy: () => Promise.reject(new FraisierError('invalid_configuration', 'line 3')) },
        async (_, runs) => {
          await runs.accept(anAssignment([aCommand('one')]));
          expect(told(await finished(runs))).to.deep.equal([
            'run started',
            'run failed: invalid_configuration',
          ]);
        },
      ));

    it('is read again, in a while, when reading it broke', () => {
      let reads = 0;
      const loadPolicy: TestHost['loadPolicy'] = () => {
        reads += 1;
        if (reads === 1) return Promise.reject(new Error('EIO'));
        return aHost('').loadPolicy();
      };
      return onHost({ loadPolicy }, async (host, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the pause', () => host.clock.sleepers(30_000) === 1);
        host.clock.advance(30_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
        expect(host.exec.started).to.deep.equal(['r_1-one-1-1']);
      });
    });
  });

  describe('that is cancelled', () => {
    it('stops the command in hand and starts nothing more', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        await runs.accept(anAssignment([aCommand('one'), aCommand('two')]));
        await until('the command to run', () => host.exec.started.length === 1);
        runs.cancel('r_1', CANCEL);
        runs.cancel('r_unknown', CANCEL);
        await runs.resume({ runId: 'r_unknown', seq: 9, logs: [], abandoned: true });
        expect(told(await finished(runs))).to.deep.equal([
          'run started',
          '+one#1',
          '-one#1 cancelled: cancelled',
          'run cancelled: cancelled',
        ]);
        expect(host.exec.stopped).to.deep.equal(['r_1-one-1-1']);
      }));

    it('starts no further command of a step that goes on regardless', () =>
      onHost({ runStep: stubbornStep }, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the command to run', () => host.exec.started.length === 1);
        runs.cancel('r_1', CANCEL);
        expect(told(await finished(runs)).at(-1)).to.equal('run cancelled: cancelled');
        expect(host.exec.started).to.have.length(1);
      }));

    it('between two steps starts no other', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => {
          runs.cancel('r_1', CANCEL);
          return { ended: 'exited', exitCode: 0 };
        };
        await runs.accept(anAssignment([aCommand('one', ['x'], {}), aCommand('two')]));
        const events = told(await finished(runs));
        expect(events.at(-1)).to.equal('run cancelled: cancelled');
        expect(host.exec.started).to.have.length(1);
      }));

    it('while it waits for its turn is over at once', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        await runs.accept(anAssignment([aCommand('one')]));
        await runs.accept(anAssignment([aCommand('one')], { runId: 'r_2' }));
        runs.cancel('r_2', CANCEL);
        expect(told(await finished(runs, 'r_2'))).to.deep.equal(['run started', 'run cancelled: cancelled']);
        expect(runs.get('r_1')?.finished).to.equal(false);
      }));

    it('says so for a step that throws the abort it was told of', () =>
      onHost({ runStep: (_, context) => forever(context.signal) }, async (_, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        await hasTold(runs, '+one#1');
        runs.cancel('r_1', CANCEL);
        expect(told(await finished(runs)).at(-1)).to.equal('run cancelled: cancelled');
      }));
  });

  describe('with a time limit', () => {
    it('stops the command and fails when it is reached', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the command to run', () => host.exec.started.length === 1);
        host.clock.advance(20_000);
        const events = await finished(runs);
        expect(told(events)).to.include('-one#1 failed: timed_out');
        expect(stepEnds(events)[0]?.reason?.message).to.equal(
          'the step one took longer than its limit of 20 s and was stopped',
        );
        expect(stepEnds(events)[0]?.durationMs).to.equal(20_000);
        expect(host.exec.stopped).to.deep.equal(['r_1-one-1-1']);
      }));

    it('is over at the latest with the grace, whatever a step does', () =>
      onHost({ runStep: () => new Promise(() => undefined) }, async (host, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the limit to be set', () => host.clock.sleepers(20_000) === 1);
        host.clock.advance(20_000);
        await until('the grace', () => host.clock.sleepers(6_000) === 1);
        host.clock.advance(6_000);
        expect(stepEnds(await finished(runs))[0]?.reason?.message).to.contain(
          'did not end when it was told to',
        );
      }));

    it('does not guess what became of a migration that cannot be stopped', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        host.exec.stoppable = false;
        await runs.accept(anAssignment([aMigration()]));
        await until('the command to run', () => host.exec.started.length === 1);
        host.clock.advance(20_000);
        await until('the stop', () => host.exec.stopped.length === 1 && host.clock.sleepers(6_000) === 1);
        host.clock.advance(6_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run interrupted: outcome_unknown');
      }));

    it('nor when stopping it breaks', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        host.exec.stop = () => Promise.reject(new Error('systemctl does not answer'));
        await runs.accept(anAssignment([aMigration()]));
        await until('the command to run', () => host.exec.started.length === 1);
        runs.cancel('r_1', CANCEL);
        expect(told(await finished(runs)).at(-1)).to.equal('run interrupted: outcome_unknown');
      }));

    it('knows that nothing was begun by a step that calls itself interrupted', () =>
      onHost(
        {
          runStep: async (_, { signal }) => {
            await forever(signal).catch(() => undefined);
            return { outcome: Outcome.INTERRUPTED, reason: reason('outcome_unknown', 'it was stopped') };
          },
        },
        async (host, runs) => {
          await runs.accept(anAssignment([aMigration()]));
          await hasTold(runs, '+migrate#1');
          runs.cancel('r_1', CANCEL);
          expect(told(await finished(runs)).at(-1)).to.equal('run cancelled: cancelled');
          expect(host.exec.started).to.deep.equal([]);
        },
      ));

    it('leaves the record of a command that cannot be stopped', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        host.exec.stoppable = false;
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the command to run', () => host.exec.started.length === 1);
        host.clock.advance(20_000);
        await until('the stop', () => host.exec.stopped.length === 1 && host.clock.sleepers(6_000) === 1);
        host.clock.advance(6_000);
        await finished(runs);
        expect(await runs.get('r_1')?.folder.commands()).to.have.length(1);
        expect(host.exec.forgotten).to.deep.equal([]);
      }));

    it('does not hide a success that came first', () =>
      onHost({ runStep: succeedWhenStopped }, async (host, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        await until('the limit to be set', () => host.clock.sleepers(20_000) === 1);
        host.clock.advance(20_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
      }));
  });

  describe('whose step breaks', () => {
    const breaks = (error: unknown): Partial<TestHost> => ({
      runStep: async (_, context) => {
        await context.command({ argv: ['x'] });
        throw error;
      },
    });

    it('fails a repeatable step as internal', () =>
      onHost(breaks(new Error('bug')), async (_, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        const events = await finished(runs);
        expect(told(events)).to.include('-one#1 failed: internal');
        expect(runEnd(events).reason?.message).to.equal('the step broke: bug');
      }));

    it('names a full disk', () =>
      onHost(breaks(Object.assign(new Error('write'), { code: 'ENOSPC' })), async (_, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: disk_full');
      }));

    it('takes over the reason of a refusal', () =>
      onHost(breaks(new FraisierError('unknown_user', 'who?')), async (_, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: unknown_user');
      }));

    it('does not guess what a step did that must not be repeated', () =>
      onHost(breaks('not even an error'), async (_, runs) => {
        await runs.accept(anAssignment([aMigration()]));
        const events = await finished(runs);
        expect(told(events).at(-1)).to.equal('run interrupted: outcome_unknown');
        expect(runEnd(events).reason?.message).to.contain('not even an error');
      }));

    it('knows the outcome when it had begun nothing', () =>
      onHost({ runStep: () => Promise.reject(new Error('bug')) }, async (_, runs) => {
        await runs.accept(anAssignment([aMigration()]));
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: internal');
      }));

    it('calls a command that vanished unknown', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'absent' });
        await runs.accept(anAssignment([aMigration()]));
        expect(told(await finished(runs)).at(-1)).to.equal('run interrupted: outcome_unknown');
      }));

    it('passes on a command that was not found or died by a signal', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'not_found', message: 'no such file' });
        await runs.accept(anAssignment([aCommand('one')]));
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: command_failed');
      }));
  });

  describe('and the lease', () => {
    it('waits for it before a command that must not be run twice, and says so', () =>
      onHost({}, async (host, runs) => {
        host.lease.end();
        await runs.accept(anAssignment([aCommand('one'), aMigration()]));
        await hasTold(runs, '.migrate#1 waiting');
        expect(host.exec.started).to.deep.equal(['r_1-one-1-1']);
        host.lease.renew(host.clock.uptimeMs(), 1_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
      }));

    it('waits again when it ran out while the intent was written', () =>
      onHost({}, async (host, runs) => {
        const disk = host.disk as Disk & { beforeWrite?: (path: string) => void };
        let once = true;
        disk.beforeWrite = (path) => {
          if (once && path.endsWith('.command.json')) host.lease.end();
          once &&= !path.endsWith('.command.json');
        };
        await runs.accept(anAssignment([aMigration()]));
        await hasTold(runs, '.migrate#1 waiting');
        expect(host.exec.started).to.deep.equal([]);
        expect(await runs.get('r_1')?.folder.commands()).to.deep.equal([]);
        host.lease.renew(host.clock.uptimeMs(), 1_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run succeeded');
      }));

    it('ends as cancelled when it is cancelled while it waits', () =>
      onHost({}, async (host, runs) => {
        host.lease.end();
        await runs.accept(anAssignment([aMigration()]));
        await hasTold(runs, '.migrate#1 waiting');
        runs.cancel('r_1', CANCEL);
        expect(told(await finished(runs)).at(-1)).to.equal('run cancelled: cancelled');
        expect(host.exec.started).to.deep.equal([]);
      }));

    it('ends as timed out when the wait takes as long as the step may', () =>
      onHost({}, async (host, runs) => {
        host.lease.end();
        await runs.accept(anAssignment([aMigration()]));
        await hasTold(runs, '.migrate#1 waiting');
        host.clock.advance(20_000);
        expect(told(await finished(runs)).at(-1)).to.equal('run failed: timed_out');
        expect(host.exec.started).to.deep.equal([]);
      }));

    it('counts from the moment the ping was sent, and never gets shorter', () => {
      const { clock } = aHost('');
      const lease = new Lease(clock);
      expect(lease.valid).to.equal(false);
      lease.renew(clock.uptimeMs() - 400, 1_000);
      lease.renew(clock.uptimeMs() - 900, 1_000);
      clock.advance(599);
      expect(lease.valid).to.equal(true);
      clock.advance(1);
      expect(lease.valid).to.equal(false);
    });
  });

  describe('beside others', () => {
    it('waits for one of the same fraise, path or unit, and for no other', () =>
      onHost({}, async (host, runs) => {
        host.exec.script = () => ({ ended: 'running' });
        const target = anAssignment([]).target ?? expect.fail();
        const unit = Step.fromPartial({
          ...aCommand('restart'),
          action: { $case: 'restart', value: { how: { $case: 'systemdService', value: 'x.service' } } },
        });
        const stop = Step.fromPartial({
          ...aCommand('stop'),
          action: { $case: 'deactivate', value: { systemdService: 'x.service' } },
        });
        const elsewhere = { ...target, fraise: 'other', appPath: '/srv/other' };
        await runs.accept(anAssignment([aCommand('one')], { runId: 'r_1' }));
        await runs.accept(anAssignment([aCommand('one')], { runId: 'r_2' }));
        await runs.accept(
          anAssignment([aCommand('one')], {
            runId: 'r_3',
            target: { ...elsewhere, fraise: 'second', appPath: '/srv/shop' },
          }),
        );
        await runs.accept(anAssignment([aCommand('one'), unit], { runId: 'r_4', target: elsewhere }));
        await runs.accept(
          anAssignment([stop], {
            runId: 'r_5',
            target: { ...elsewhere, fraise: 'third', appPath: '/srv/third' },
          }),
        );
        await until('two runs to work', () => host.exec.started.length === 2);
        expect(host.exec.started).to.have.members(['r_1-one-1-1', 'r_4-one-1-1']);
        host.exec.script = () => ({ ended: 'exited', exitCode: 0 });
        for (const id of host.exec.started) host.exec.set(id, { ended: 'exited', exitCode: 0 });
        for (const id of ['r_1', 'r_2', 'r_3', 'r_4', 'r_5']) {
          expect(told(await finished(runs, id)).at(-1)).to.equal('run succeeded');
        }
        const order = host.exec.started;
        expect(order.indexOf('r_3-one-1-1')).to.be.greaterThan(order.indexOf('r_2-one-1-1'));
      }));
  });

  describe('and its repeats', () => {
    it('is worked off once, however often it is assigned', () =>
      onHost({}, async (host, runs) => {
        const assignment = anAssignment([aCommand('one')]);
        await runs.accept(assignment);
        await runs.accept(assignment);
        const last = (await finished(runs)).at(-1)?.seq ?? 0;
        await runs.acknowledge('r_1', last);
        expect(runs.get('r_1')).to.equal(undefined);
        await runs.accept(assignment);
        expect(runs.get('r_1')).to.equal(undefined);
        await runs.acknowledge('r_1', last);
        await withRuns(host, async (later) => {
          await later.accept(assignment);
          expect(later.unfinished()).to.deep.equal([]);
        });
        expect(host.exec.started).to.have.length(1);
      }));

    it('leaves only its tombstone once it is acknowledged', () =>
      onHost({}, async (host, runs) => {
        await runs.accept(anAssignment([aCommand('one')]));
        await runs.acknowledge('r_1', (await finished(runs)).at(-1)?.seq ?? 0);
        expect(await systemDisk.list(join(host.stateFolder, 'runs', 'r_1'))).to.deep.equal(['done']);
      }));

    it('removes the oldest tombstones now and then', () =>
      onHost({}, async (host, runs) => {
        const old = join(host.stateFolder, 'runs', 'r_old');
        await systemDisk.makeFolder(old);
        await systemDisk.writeLoosely(join(old, 'done'), Buffer.from('2020-01-01T00:00:00Z'));
        for (let number = 1; number <= 25; number += 1) {
          const runId = `r_${number}`;
          await runs.accept(anAssignment([], { runId }));
          await runs.acknowledge(runId, (await finished(runs, runId)).at(-1)?.seq ?? 0);
        }
        const left = await systemDisk.list(join(host.stateFolder, 'runs'));
        expect(left).to.have.length(25).and.not.include('r_old');
      }));

    it('refuses names that cannot be files, two steps of one name, and no target', () =>
      onHost({}, async (_, runs) => {
        for (const bad of [
          anAssignment([], { runId: '../r' }),
          anAssignment([aCommand('Bad Name')]),
          anAssignment([aCommand('one'), aCommand('one')]),
          anAssignment([], { target: undefined }),
        ]) {
          const error = await runs.accept(bad).then(
            () => expect.fail('accepted'),
            (why: unknown) => why,
          );
          expect((error as FraisierError).reason.code).to.equal('protocol_violation');
        }
      }));
  });

  it('is taken up again, as after a restart, when its journal could not be written', () => {
    const disk = fragileDisk();
    return onHost({ disk }, async (host, runs) => {
      host.exec.script = () => {
        disk.broken = true;
        return { ended: 'exited', exitCode: 0 };
      };
      await runs.accept(anAssignment([aMigration()]));
      await until('the pause', () => host.clock.sleepers(30_000) === 1);
      disk.broken = false;
      host.clock.advance(30_000);
      expect(told(await finished(runs)).slice(1)).to.deep.equal([
        '+migrate#1',
        '.migrate#1 adopted',
        '-migrate#1 succeeded',
        'run succeeded',
      ]);
      expect(host.exec.started).to.deep.equal(['r_1-migrate-1-1']);
    });
  });

  it('ends on a full disk with what was kept free for it', () => {
    const disk = fragileDisk();
    return onHost({ disk }, async (host, runs) => {
      await runs.accept(anAssignment([aCommand('one')]));
      await finished(runs);
      expect(await systemDisk.size(join(host.stateFolder, 'runs', 'r_1', 'reserve'))).to.equal(65_536);
      disk.full = true;
      await runs.accept(anAssignment([aCommand('one')], { runId: 'r_2' })).catch(() => undefined);
      expect(told(await finished(runs, 'r_2')).at(-1)).to.equal('run succeeded');
      expect(await systemDisk.size(join(host.stateFolder, 'runs', 'r_2', 'reserve'))).to.equal(0);
    });
  });

  it('is left as it is, wherever the agent is stopped', () =>
    onHost({}, async (host, runs) => {
      host.lease.end();
      await runs.accept(anAssignment([aMigration()]));
      await hasTold(runs, '.migrate#1 waiting');
      await runs.leave();
      let asked = (): void => undefined;
      const stopped = new Promise<void>((resolve) => (asked = resolve));
      const loadPolicy: TestHost['loadPolicy'] = async () => {
        asked();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return host.loadPolicy();
      };
      await withRuns({ ...host, loadPolicy }, () => stopped);
      host.lease.renew(host.clock.uptimeMs(), 1_000);
      await withRuns(host, async (later) => {
        const words = told(await finished(later));
        expect(words).to.deep.equal([
          'run started',
          '+migrate#1',
          '.migrate#1 waiting',
          '-migrate#1 succeeded',
          'run succeeded',
        ]);
      });
    }));

  it('does not take for an end what a step says because the agent leaves', () =>
    onHost({ runStep: succeedWhenStopped }, async (host, runs) => {
      await runs.accept(anAssignment([aCommand('one')]));
      await hasTold(runs, '+one#1');
      await runs.leave();
      await withRuns({ ...host, runStep: plainStep }, async (later) => {
        expect(told(await finished(later))).to.deep.equal([
          'run started',
          '+one#1',
          '-one#1 succeeded',
          'run succeeded',
        ]);
      });
    }));

  it('forgets nothing when the note of what was acknowledged is lost or unreadable', () =>
    onHost({}, async (host, runs) => {
      await runs.accept(anAssignment([aCommand('one')]));
      await finished(runs);
      await runs.acknowledge('r_1', 2);
      await runs.acknowledge('r_1', 3);
      await runs.leave();
      await withRuns(host, async (later) => {
        expect(later.get('r_1')?.folder.acknowledged).to.equal(3);
        expect(told(await finished(later)).at(-1)).to.equal('run succeeded');
      });
      await writeFile(join(host.stateFolder, 'runs', 'r_1', 'acknowledged'), 'x');
      await withRuns(host, (later) => {
        expect(later.get('r_1')?.folder.acknowledged).to.equal(0);
        return Promise.resolve();
      });
    }));

  it('reads a journal whatever is in it', () => {
    const finish = {
      step: 'x',
      attempt: 1,
      outcome: Outcome.SUCCEEDED,
      reason: undefined,
      durationMs: 0,
      result: undefined,
      logBytes: 0,
      logTruncated: false,
    };
    const events = [
      { runId: 'r', seq: 1, at: undefined, event: undefined },
      { runId: 'r', seq: 2, at: undefined, event: { $case: 'stepFinished', value: finish } },
      {
        runId: 'r',
        seq: 3,
        at: undefined,
        event: { $case: 'stepStarted', value: { step: 'y', attempt: 1, bootId: '' } },
      },
    ] as const;
    const trace = traceOf(events);
    expect([...trace.steps]).to.deep.equal([
      ['y', { attempt: 1, bootId: '', startedAt: new Date(0), finished: null }],
    ]);
  });

  it('is given up when its journal is damaged, and stays known', () =>
    onHost({}, async (host, runs) => {
      host.exec.script = () => ({ ended: 'running' });
      await runs.accept(anAssignment([aCommand('one')]));
      await until('the command to run', () => host.exec.started.length === 1);
      await runs.leave();
      const journal = join(host.stateFolder, 'runs', 'r_1', 'journal');
      const bytes = await readFile(journal);
      bytes[9] = (bytes[9] ?? 0) ^ 0xff;
      await writeFile(journal, bytes);
      await withRuns(host, async (later) => {
        expect(later.unfinished()).to.deep.equal([]);
        await later.accept(anAssignment([aCommand('one')]));
        expect(later.unfinished()).to.deep.equal([]);
      });
    }));
});

function runEnd(events: Parameters<typeof told>[0]): RunFinished {
  const last = events.at(-1)?.event;
  return last?.$case === 'runFinished' ? last.value : expect.fail('the run is not over');
}

function stepEnds(events: Parameters<typeof told>[0]): readonly StepFinished[] {
  return events.flatMap(({ event }) => (event?.$case === 'stepFinished' ? [event.value] : []));
}

async function captureStep(_: unknown, context: StepContext) {
  const end = await context.command({
    argv: ['status'],
    cwd: '/srv',
    user: 'app',
    environmentFile: '/etc/env',
    capture: true,
  });
  return {
    outcome: Outcome.SUCCEEDED,
    result: { summary: end.ended === 'exited' ? end.output : '' },
  } as const;
}

async function noteStep(_: unknown, context: StepContext) {
  await context.note('health_attempt', 'answered 200', { status: '200' });
  await context.note('plain', `at ${context.now().toISOString()}`);
  await context.sleep(0, AbortSignal.abort('over')).catch(() => undefined);
  return { outcome: Outcome.SUCCEEDED } as const;
}

async function stubbornStep(_: unknown, context: StepContext) {
  await context.command({ argv: ['one'] });
  const end = await context.command({ argv: ['two'] });
  return end.ended === 'stopped'
    ? ({ outcome: Outcome.CANCELLED, reason: end.reason } as const)
    : expect.fail(end.ended);
}

async function succeedWhenStopped(_: unknown, context: StepContext) {
  await forever(context.signal).catch(() => undefined);
  return { outcome: Outcome.SUCCEEDED } as const;
}

/** Appends fail as long as it is `broken`; while it is `full`, once per file until something is removed. */
function fragileDisk(): Disk & { broken: boolean; full: boolean } {
  const disk = {
    ...systemDisk,
    broken: false,
    full: false,
    remove: (path: string) => {
      disk.full = false;
      return systemDisk.remove(path);
    },
    openForAppend: async (path: string) => {
      const file = await systemDisk.openForAppend(path);
      const write = (bytes: Uint8Array): Promise<void> => {
        if (disk.broken) return Promise.reject(Object.assign(new Error('bad disk'), { code: 'EIO' }));
        if (disk.full) return Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
        return file.write(bytes);
      };
      return { ...file, write };
    },
  };
  return disk;
}

/** Runs of a host in a folder of its own; `disk.beforeWrite`, when a test sets it, is told of every whole file. */
async function onHost(
  more: Partial<TestHost>,
  work: (host: TestHost, runs: Runs) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const disk: Disk & { beforeWrite?: (path: string) => void } = {
      ...systemDisk,
      writeWhole: async (path, bytes, mode) => {
        await systemDisk.writeWhole(path, bytes, mode);
        disk.beforeWrite?.(path);
      },
    };
    const host = aHost(folder, { runStep: plainStep, disk, ...more });
    await withRuns(host, (runs) => work(host, runs));
  });
}
