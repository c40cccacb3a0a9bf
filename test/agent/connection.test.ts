import { appendFile } from 'node:fs/promises';
import { expect } from 'chai';
import { reason } from '../../proto/error-codes.js';
import { Phase, type Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { systemClock } from '../../agent/clock.js';
import { stayConnected, type ConnectionPorts } from '../../agent/connection.js';
import { systemDisk } from '../../agent/disk.js';
import { LOG_CAP_BYTES } from '../../agent/log-cap.js';
import type { Renewal } from '../../agent/renewal.js';
import { Runs } from '../../agent/runs.js';
import { until } from '../support/until.js';
import { aCommand, aMigration, anAssignment, aStage, told, withFolder } from './builders.js';
import { TestController } from './controller.js';
import { forever } from './fake-exec.js';
import { aHost, type TestHost } from './host.js';

const WORK = anAssignment([aStage(), aCommand('install'), aMigration()]);

/** An agent connected to a controller of the test. */
interface Scene {
  readonly controller: TestController;
  readonly host: TestHost;
  readonly runs: Runs;
  readonly ports: ConnectionPorts;
  /** How `stayConnected` ended. */
  readonly ended: Promise<'left' | 'revoked'>;
  readonly pauses: number[];
}

describe('the connection', () => {
  it('says hello with what it has, takes work, and reports it to the end', () =>
    connected({}, async ({ controller, host, runs }) => {
      host.exec.prints = ({ id }) => `output of ${id}\n`;
      controller.assign(WORK);
      await until('the run to be recorded', () => controller.run().seq === 8);
      expect(told(controller.run().events)).to.deep.equal([
        'run started',
        '+stage#1',
        '-stage#1 succeeded',
        '+install#1',
        '-install#1 succeeded',
        '+migrate#1',
        '-migrate#1 succeeded',
        'run succeeded',
      ]);
      expect(controller.run().logs.get('stage.1')?.toString()).to.equal(
        '$ one\noutput of r_1-stage-1-1\n$ two\noutput of r_1-stage-1-2\n',
      );
      await until('the run to be buried', () => runs.unfinished().length === 0);
      expect(controller.hellos[0]).to.deep.include({
        protocolVersion: 1,
        agentVersion: '1.2.3',
        bootId: 'boot-1',
        instanceId: 'i_1',
        runs: [],
      });
      expect(controller.hellos[0]?.live).to.deep.equal([LIVE]);
    }));

  it('says so when the disk has no room for a run, which it then forgets', async () => {
    let full = true;
    const noRoom = Object.assign(new Error('ENOSPC: no space left on device'), {
      code: 'ENOSPC',
      errno: -28,
    });
    const disk = {
      ...systemDisk,
      writeWhole: (path: string, bytes: Uint8Array, mode?: number) =>
        full ? Promise.reject(noRoom) : systemDisk.writeWhole(path, bytes, mode),
    };
    await connected({ host: { disk } }, async ({ controller, runs }) => {
      controller.assign(anAssignment([aCommand('one')]));
      await until('the refusal', () => controller.refusals.length === 1);
      expect(controller.refusals[0]?.runId).to.equal('r_1');
      expect(controller.refusals[0]?.reason?.code).to.equal('disk_full');
      expect(runs.unfinished()).to.deep.equal([]);
      full = false;
      controller.assign(anAssignment([aCommand('two')], { runId: 'r_2' }));
      await until('the next run', () => told(controller.run('r_2').events).includes('run succeeded'));
      expect(controller.streams).to.equal(1);
    });
  });

  it('gives up what it keeps for it when the disk has no room for a way back', async () => {
    let reserved = true;
    const noRoom = Object.assign(new Error('ENOSPC: no space left on device'), {
      code: 'ENOSPC',
      errno: -28,
    });
    const disk = {
      ...systemDisk,
      writeWhole: (path: string, bytes: Uint8Array, mode?: number) =>
        reserved ? Promise.reject(noRoom) : systemDisk.writeWhole(path, bytes, mode),
      remove: (path: string) => {
        if (path.endsWith('/reserve') && !path.includes('/runs/')) reserved = false;
        return systemDisk.remove(path);
      },
    };
    await connected({ host: { disk } }, async ({ controller }) => {
      controller.assign(anAssignment([aCommand('forward')]));
      await until('the refusal', () => controller.refusals.length === 1);
      controller.assign(anAssignment([aCommand('back')], { runId: 'r_2', phase: Phase.UNDO }));
      await until('the way back', () => told(controller.run('r_2').events).includes('run succeeded'));
      expect(controller.refusals).to.have.length(1);
    });
  });

  it('streams output while the step runs', () =>
    connected({}, async ({ controller, host }) => {
      host.exec.script = () => ({ ended: 'running' });
      host.exec.prints = () => 'first\n';
      controller.assign(anAssignment([aCommand('slow')]));
      await until(
        'the first line',
        () => controller.run().logs.get('slow.1')?.toString() === '$ true\nfirst\n',
      );
      await appendFile(host.exec.specs[0]?.outputFile ?? '', 'second\n');
      await until('the second line', () =>
        controller.run().logs.get('slow.1')?.toString().endsWith('second\n'),
      );
      host.exec.set('r_1-slow-1-1', { ended: 'exited', exitCode: 0 });
      await until('the end', () => told(controller.run().events).includes('run succeeded'));
      expect(controller.problems).to.deep.equal([]);
    }));

  it('sends at most the cap of an attempt and marks the last bytes of it', () =>
    connected({}, async ({ controller, host }) => {
      host.exec.prints = () => 'x'.repeat(LOG_CAP_BYTES + 1000);
      controller.assign(anAssignment([aCommand('flood')]));
      await until('the end', () => told(controller.run().events).includes('run succeeded'));
      expect(controller.run().logs.get('flood.1')).to.have.length(LOG_CAP_BYTES);
      expect([...controller.run().truncated]).to.deep.equal(['flood.1']);
    }));

  it('marks nothing when the output is exactly as long as the cap', () =>
    connected({}, async ({ controller, host }) => {
      host.exec.script = () => ({ ended: 'running' });
      host.exec.prints = () => 'x'.repeat(LOG_CAP_BYTES - '$ true\n'.length);
      controller.assign(anAssignment([aCommand('flood')]));
      await until(
        'all but one byte',
        () => controller.run().logs.get('flood.1')?.length === LOG_CAP_BYTES - 1,
      );
      host.exec.set('r_1-flood-1-1', { ended: 'exited', exitCode: 0 });
      await until('the end', () => told(controller.run().events).includes('run succeeded'));
      expect(controller.run().logs.get('flood.1')).to.have.length(LOG_CAP_BYTES);
      expect([...controller.run().truncated]).to.deep.equal([]);
    }));

  it('keeps no more in flight than its windows while nothing is acknowledged', () =>
    connected({}, async ({ controller, host, runs }) => {
      controller.acknowledges = false;
      host.exec.script = () => ({ ended: 'running' });
      host.exec.prints = () => 'x'.repeat(1024 * 1024);
      controller.assign(anAssignment([aCommand('flood')]));
      const recorded = () => controller.run().logs.get('flood.1')?.length ?? 0;
      await until('the window to fill', () => recorded() > 192 * 1024);
      host.exec.set('r_1-flood-1-1', { ended: 'exited', exitCode: 0 });
      await until('the run to be over', () => runs.get('r_1')?.finished);
      await systemClock.sleep(200, new AbortController().signal);
      expect(recorded()).to.be.at.most(256 * 1024);
      controller.acknowledges = true;
      controller.cut();
      await until('the end', () => told(controller.run().events).includes('run succeeded'));
      expect(controller.run().logs.get('flood.1')).to.have.length(1024 * 1024 + 7);
    }));

  it('holds events back when too many are not acknowledged', () =>
    connected({ runStep: chattyStep }, async ({ controller, runs }) => {
      controller.acknowledges = false;
      controller.assign(anAssignment([aCommand('chatty')]));
      await until('the run to be over', () => runs.get('r_1')?.finished);
      await until('the window to fill', () => controller.run().seq === 256);
      await systemClock.sleep(100, new AbortController().signal);
      expect(controller.run().seq).to.equal(256);
      controller.acknowledges = true;
      controller.say({ $case: 'ack', value: { runId: 'r_1', seq: 256 } });
      await until('the end', () => told(controller.run().events).includes('run succeeded'));
    }));

  describe('cut off (row 1)', () => {
    it('at any message, loses, repeats and invents nothing', async () => {
      const all = await scenario(() => false);
      expect(all).to.be.greaterThan(30);
      const cutAt = (at: number) => {
        let count = 0;
        return scenario(() => ++count === at);
      };
      const cuts = Array.from({ length: all }, (_, index) => index + 1);
      for (let from = 0; from < all; from += 10) await Promise.all(cuts.slice(from, from + 10).map(cutAt));
    }).timeout(120_000);

    it('again and again, still gets everything across', async () => {
      let count = 0;
      await scenario(() => ++count % 7 === 0);
    });

    it('lets its runs go on, and reports them when it is back', () =>
      connected({}, async ({ controller, host, runs }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(anAssignment([aCommand('one'), aCommand('two')]));
        await until('the first command', () => host.exec.started.length === 1);
        const back = controller.address;
        await controller.stop();
        host.exec.script = () => ({ ended: 'exited', exitCode: 0 });
        host.exec.set('r_1-one-1-1', { ended: 'exited', exitCode: 0 });
        await until('the run to be over', () => runs.get('r_1')?.finished);
        expect(host.exec.started).to.have.length(2);
        expect(back).to.be.a('string');
      }));

    it('drops a stream on which nobody answers its pings, and dials again (row 6)', () =>
      connected({ leaseMs: 150 }, async ({ controller }) => {
        controller.answersPings = false;
        await until('another stream', () => controller.streams > 2);
      }));
  });

  describe('and what the controller says', () => {
    it('cancels a run', () =>
      connected({}, async ({ controller, host }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(WORK);
        await until('the command', () => host.exec.started.length === 1);
        controller.say({ $case: 'cancel', value: { runId: 'r_1', reason: reason('cancelled', 'enough') } });
        await until('the end', () => told(controller.run().events).at(-1) === 'run cancelled: cancelled');
      }));

    it('cancels with a reason of its own when none is given', () =>
      connected({}, async ({ controller, host }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(WORK);
        await until('the command', () => host.exec.started.length === 1);
        controller.say({ $case: 'cancel', value: { runId: 'r_1', reason: undefined } });
        await until('the end', () => told(controller.run().events).at(-1) === 'run cancelled: cancelled');
      }));

    it('stops, reports and forgets a run that the record gave up', () =>
      connected({}, async ({ controller, host, runs }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(WORK);
        await until('the command', () => host.exec.started.length === 1);
        controller.abandoned.add('r_1');
        controller.cut();
        await until('the run to be forgotten', () => runs.unfinished().length === 0);
        expect(told(controller.run().events).at(-1)).to.equal('run cancelled: cancelled');
      }));

    it('forgets a run that the record gave up even if nobody wants to hear of it', () =>
      connected({}, async ({ controller, host, runs }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(WORK);
        await until('the command', () => host.exec.started.length === 1);
        controller.abandoned.add('r_1');
        controller.cutAt = (direction, message) => direction === 'in' && message === 'event';
        controller.cut();
        await until('the run to be forgotten', () => runs.unfinished().length === 0);
      }));

    it('is answered to its questions, beside everything else', () =>
      connected({}, async ({ controller }) => {
        controller.say({
          $case: 'question',
          value: { questionId: 'q_1', deadlineMs: 1000, question: undefined },
        });
        await until('the answer', () => controller.answers.length === 1);
        expect(controller.answers[0]).to.deep.include({ questionId: 'q_1' });
      }));

    it('makes it drain: it finishes what it has and dials again', () =>
      connected({}, async ({ controller, host }) => {
        host.exec.script = () => ({ ended: 'running' });
        controller.assign(anAssignment([aCommand('one')]));
        await until('the command', () => host.exec.started.length === 1);
        controller.say({ $case: 'drain', value: {} });
        host.exec.set('r_1-one-1-1', { ended: 'exited', exitCode: 0 });
        await until('another stream', () => controller.streams === 2);
        expect(told(controller.run().events).at(-1)).to.equal('run succeeded');
      }));

    it('ends it for good when it was revoked', () =>
      connected({}, async ({ controller, ended, host }) => {
        controller.say(goodbye(reason('agent_revoked', 'gone'), false));
        expect(await ended).to.equal('revoked');
        expect(host.lease.valid).to.equal(false);
      }));

    it('is tried again soon after a goodbye that asks for it', () =>
      connected({}, async ({ controller }) => {
        controller.say(goodbye(reason('shutting_down', 'back soon'), true));
        await until('another stream', () => controller.streams === 2);
      }));

    for (const code of [
      'protocol_mismatch',
      'unauthenticated',
      'unknown_agent',
      'agent_replaced',
      'internal',
    ] as const) {
      it(`is tried again slowly after a goodbye because of ${code}`, () =>
        connected({}, async ({ controller, host, pauses }) => {
          controller.say(goodbye(reason(code, 'no'), code !== 'internal'));
          await until('the slow pace', () => pauses.includes(60_000));
          expect(controller.streams).to.equal(1);
          expect(host.lease.valid).to.equal(code !== 'agent_replaced');
        }));
    }

    it('explains a goodbye without a reason', () =>
      connected({}, async ({ controller }) => {
        controller.say({ $case: 'goodbye', value: { reason: undefined, retry: true } });
        await until('another stream', () => controller.streams === 2);
      }));

    it('is refused when it speaks another protocol (row 3)', () =>
      connected({ welcome: { protocolVersion: 7 } }, async ({ pauses }) => {
        await until('the slow pace', () => pauses.includes(60_000));
      }));

    it('is refused before its welcome, and a second time', () =>
      connected({}, async ({ controller }) => {
        controller.say({
          $case: 'welcome',
          value: {
            protocolVersion: 1,
            agentName: '',
            epoch: 9,
            leaseMs: 30_000,
            resume: [],
            controllers: [],
          },
        });
        await until('another stream', () => controller.streams === 2);
        const greet = controller.welcome;
        controller.cutAt = (direction, message) => {
          if (direction === 'in' && message === 'hello' && controller.streams === 3) {
            controller.call?.write({ message: { $case: 'pong', value: { number: 1 } } });
            controller.call = null;
          }
          return false;
        };
        controller.cut();
        await until('yet another stream', () => controller.streams >= 4);
        expect(greet).to.deep.equal({});
      }));

    it('is passed over where this agent does not know it', () =>
      connected({}, async ({ controller }) => {
        controller.call?.write({ message: undefined });
        controller.say({ $case: 'logAck', value: { runId: 'r_9', step: 's', attempt: 1, offset: 1 } });
        controller.say({ $case: 'renewed', value: { certificatePem: '', authorityPem: '' } });
        controller.say({ $case: 'pong', value: { number: 99 } });
        controller.assign(anAssignment([aCommand('one')]));
        await until('the end', () => told(controller.run().events).at(-1) === 'run succeeded');
        expect(controller.streams).to.equal(1);
      }));

    it('ends the stream when it assigns what cannot be', () =>
      connected({}, async ({ controller, runs }) => {
        controller.say({ $case: 'assignment', value: anAssignment([], { runId: '../../etc' }) });
        await until('another stream', () => controller.streams === 2);
        expect(runs.unfinished()).to.deep.equal([]);
      }));
  });

  it('tries the next address after each failure', () =>
    connected({ addresses: (own) => ['127.0.0.1:1', own] }, async ({ controller, pauses }) => {
      expect(controller.streams).to.equal(1);
      expect(pauses).to.have.length(1);
      await Promise.resolve();
    }));

  it('goes on when dialling itself fails', async () => {
    let dials = 0;
    await connected(
      {
        dial: (dial) => (address) => {
          dials += 1;
          return dials < 3
            ? Promise.reject(dials === 1 ? new Error('no key') : reasonError())
            : dial(address);
        },
      },
      async ({ controller }) => {
        expect(controller.streams).to.equal(1);
        await Promise.resolve();
      },
    );
  });

  it('uses a renewed certificate at once', () => {
    let renewals = 0;
    const startRenewal = (): Renewal => {
      renewals += 1;
      return {
        stored: renewals === 1 ? Promise.resolve() : forever(new AbortController().signal),
        answered: () => undefined,
      };
    };
    return connected({ startRenewal }, async ({ controller, pauses }) => {
      await until('another stream', () => controller.streams === 2);
      expect(pauses).to.deep.equal([]);
    });
  });

  it('gives up a controller that does not welcome it', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      const runs = new Runs(host);
      const stop = new AbortController();
      const silent = {
        send: () => Promise.resolve(),
        messages: never(stop.signal),
        close: () => stop.abort(new Error('closed')),
      };
      const { converse } = await import('../../agent/session.js');
      const talked = converse(portsOf(host, runs, {}), silent, new AbortController().signal);
      await until('the patience', () => host.clock.sleepers(15_000) === 1);
      host.clock.advance(15_000);
      expect(await talked).to.deep.include({ because: 'broken', held: false });
    }));
});

const LIVE = {
  fraise: 'shop',
  environment: 'production',
  appPath: '/srv/shop',
  release: 'abc',
  provenGood: true,
  origin: '',
};

interface Given extends Partial<Pick<TestHost, 'runStep'>> {
  readonly host?: Partial<TestHost>;
  readonly leaseMs?: number;
  readonly welcome?: TestController['welcome'];
  readonly addresses?: (own: string) => readonly string[];
  readonly startRenewal?: () => Renewal;
  readonly dial?: (dial: ConnectionPorts['dial']) => ConnectionPorts['dial'];
}

async function connected(given: Given, work: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const controller = new TestController();
    controller.leaseMs = given.leaseMs ?? 30_000;
    controller.welcome = given.welcome ?? {};
    await controller.start();
    const stop = new AbortController();
    const host = aHost(folder, {
      ...given.host,
      ...(given.runStep === undefined ? {} : { runStep: given.runStep }),
    });
    const runs = new Runs(host);
    await runs.open();
    const pauses: number[] = [];
    const clock = { ...systemClock, sleep: watched(pauses) };
    const ports: ConnectionPorts = {
      ...portsOf(host, runs, given),
      clock,
      dial: (given.dial ?? ((dial) => dial))(controller.dial),
      addresses: () => Promise.resolve(given.addresses?.(controller.address) ?? [controller.address]),
      random: () => 0.001,
    };
    const ended = stayConnected(ports, stop.signal);
    try {
      if (given.welcome === undefined) await until('the first stream', () => controller.hellos.length > 0);
      await work({ controller, host, runs, ports, ended, pauses });
    } finally {
      stop.abort();
      await ended;
      await runs.leave();
      await controller.stop();
    }
  });
}

/** The pauses between two streams, apart from all other sleep: those are not multiples of what the session sleeps for. */
function watched(pauses: number[]): typeof systemClock.sleep {
  return (ms, signal) => {
    if (ms === 60_000 || ms < 40) pauses.push(ms);
    return systemClock.sleep(ms, signal);
  };
}

function portsOf(host: TestHost, runs: Runs, given: Given): ConnectionPorts {
  return {
    disk: systemDisk,
    clock: host.clock,
    lease: host.lease,
    runs,
    bootId: 'boot-1',
    instanceId: 'i_1',
    agentVersion: '1.2.3',
    live: () => Promise.resolve([LIVE]),
    remember: () => Promise.resolve(),
    answer: ({ questionId }) =>
      Promise.resolve({ questionId, answer: { $case: 'refused', value: reason('internal', 'no') } }),
    learnControllers: () => Promise.resolve(),
    startRenewal:
      given.startRenewal ??
      (() => ({ stored: forever(new AbortController().signal), answered: () => undefined })),
    logger: host.logger,
    dial: () => Promise.reject(new Error('not in this test')),
    addresses: () => Promise.resolve([]),
    random: () => 0,
  };
}

/** One run with output, cut wherever `cut` says; returns how many chances to cut there were. */
async function scenario(cut: () => boolean): Promise<number> {
  let chances = 0;
  await connected({}, async ({ controller, host, runs }) => {
    host.exec.prints = ({ id }) => `${id}: ${'y'.repeat(70_000)}\n`;
    controller.cutAt = () => {
      chances += 1;
      return cut();
    };
    controller.assign(WORK);
    await until(
      'the run to be recorded and buried',
      () => runs.unfinished().length === 0 && controller.run().seq === 8,
      { everyMs: 10 },
    );
    expect(controller.problems).to.deep.equal([]);
    expect(host.exec.started).to.have.length(4);
    const install = `$ true\nr_1-install-1-1: ${'y'.repeat(70_000)}\n`;
    expect(controller.run().logs.get('install.1')?.toString()).to.equal(install);
    for (const { event } of controller.run().events) {
      if (event?.$case !== 'stepFinished') continue;
      const { step, attempt, logBytes } = event.value;
      expect(controller.run().logs.get(`${step}.${attempt}`)?.length).to.equal(logBytes);
    }
  });
  return chances;
}

async function chattyStep(_: unknown, context: Parameters<TestHost['runStep']>[1]) {
  await Promise.all(
    Array.from({ length: 300 }, (__, index) => context.note('health_attempt', String(index))),
  );
  return { outcome: 'OUTCOME_SUCCEEDED' } as const;
}

function goodbye(why: Reason, retry: boolean) {
  return { $case: 'goodbye', value: { reason: why, retry } } as const;
}

function reasonError(): Error {
  return Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
}

async function* never(signal: AbortSignal): AsyncGenerator<never> {
  yield await forever(signal);
}
