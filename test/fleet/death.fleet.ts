import { expect } from 'chai';
import { until } from '../support/until.js';
import type { Gate } from '../system/gated-service.js';
import { AgentUnit } from './agent-unit.js';
import { drawnBoundaries } from './boundaries.js';
import {
  atEvent,
  deploy,
  ended,
  expectWholeLog,
  follow,
  steps,
  type Deployed,
  type Shown,
} from './deploying.js';
import { SERVERS, type Fleet } from './fleet.js';
import { Gates } from './gates.js';
import { startHelloFleet, type Hello } from './hello.js';
import type { Host } from './lab/host.js';

/** What holds at each gate, and what its step's contract makes of a death inside: attempts, and times it was begun. */
const INSIDE: readonly { gate: Gate; step: string; agentDied: number; powerLost: number; begun: boolean }[] =
  [
    { gate: 'install', step: 'prepare install', agentDied: 1, powerLost: 2, begun: true },
    { gate: 'migrate', step: 'migrate migrate', agentDied: 1, powerLost: 1, begun: true },
    { gate: 'restart', step: 'release restart', agentDied: 2, powerLost: 2, begun: false },
    { gate: 'health', step: 'release health', agentDied: 2, powerLost: 2, begun: false },
  ];

describe('death in the middle of a deployment to real systemd hosts (row 2)', function () {
  this.timeout(150_000);
  let fleet: Fleet;
  let hello: Hello;
  let h1: Host;
  let gates: Gates;
  let agent: AgentUnit;

  before(async () => {
    ({ fleet, hello } = await startHelloFleet());
    h1 = fleet.server('h1');
    gates = new Gates(h1);
    agent = new AgentUnit(h1);
    await hello.commit('the one that is live');
    expectLive(await deploy(fleet));
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  beforeEach(() => gates.reset());

  afterEach(async function () {
    if (this.currentTest?.state !== 'passed') {
      process.stdout.write(`${await fleet.logs()}\n`);
      await mend();
    }
    for (const server of SERVERS) {
      expect(await new AgentUnit(fleet.server(server)).transientUnits(), `left on ${server}`).to.deep.equal(
        [],
      );
    }
  });

  for (const { gate, step, agentDied, begun } of INSIDE) {
    it(`of the agent (kill -9) inside ${step}, which goes on while it is dead`, async () => {
      const deploying = await standAt(gate);
      await agent.kill9AndHold();
      await gates.open(gate);
      if (begun) await commandEnded();
      await agent.release();
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1')).to.include(`${step} succeeded ${agentDied}`);
      if (begun) expect(await gates.begun(gate), 'times it was begun').to.equal(1);
      await expectWholeLog(fleet, shown.id, 'h1');
    });

    it(`of the agent (kill -9) inside ${step}, which goes on after it is back`, async () => {
      const deploying = await standAt(gate);
      await agent.kill9();
      await fleet.connected('h1');
      await gates.open(gate);
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1')).to.include(`${step} succeeded ${agentDied}`);
      if (begun) expect(await gates.begun(gate), 'times it was begun').to.equal(1);
      await expectWholeLog(fleet, shown.id, 'h1');
    });

    it(`of the controller (kill -9) inside ${step}: the command line waits for it, and it ends as if nothing had been`, async () => {
      const deploying = await standAt(gate);
      await fleet.controller.kill9();
      await gates.open(gate);
      await fleet.controller.start();
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1')).to.include(`${step} succeeded 1`);
      if (begun) expect(await gates.begun(gate), 'times it was begun').to.equal(1);
      await expectWholeLog(fleet, shown.id, 'h1');
    });
  }

  for (const { gate, step, powerLost } of INSIDE.filter((one) => one.gate !== 'migrate')) {
    it(`of the whole host (loss of power) inside ${step}: it is repeated after the reboot`, async () => {
      const deploying = await standAt(gate);
      await h1.powerOff();
      await gates.open(gate);
      await h1.boot();
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1')).to.include(`${step} succeeded ${powerLost}`);
      expect(await gates.begun('migrate'), 'times the migration was begun').to.equal(1);
      await expectWholeLog(fleet, shown.id, 'h1');
    });
  }

  for (const { gate, step, powerLost } of INSIDE.filter((one) => ['install', 'restart'].includes(one.gate))) {
    it(`of the whole host (an orderly reboot) inside ${step}: it is repeated after the reboot`, async () => {
      const deploying = await standAt(gate);
      await h1.must(['systemctl', 'reboot']);
      await until('h1 to be down', isDown, { timeoutMs: 60_000, everyMs: 100 });
      await gates.open(gate);
      await h1.boot();
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1')).to.include(`${step} succeeded ${powerLost}`);
      await expectWholeLog(fleet, shown.id, 'h1');
    });
  }

  it('of the whole host (loss of power) inside a migration: paused, never begun again before somebody says so', async () => {
    const deploying = await standAt('migrate');
    await h1.powerOff();
    await gates.open('migrate');
    await h1.boot();
    const paused = expectPaused(await deploying.end);
    expect(paused.reason?.message).to.contain('the host was rebooted');
    await expectContinues(paused);
  });

  for (const traces of ['found dead', 'gone from systemd'] as const) {
    it(`of the agent and its migration together, the unit ${traces}: paused, never begun again before somebody says so`, async () => {
      const deploying = await standAt('migrate');
      await agent.kill9AndHold();
      const [unit = ''] = await agent.transientUnits();
      await h1.must(['systemctl', 'kill', '--signal=KILL', unit]);
      await until('the migration to be dead', async () => (await stateOf(unit)) === 'failed');
      if (traces === 'gone from systemd') await h1.must(['systemctl', 'reset-failed', unit]);
      await agent.release();
      const paused = expectPaused(await deploying.end);
      await gates.open('migrate');
      await expectContinues(paused);
    });
  }

  for (const gate of ['install', 'migrate'] as const) {
    it(`of the network inside ${gate}, until the host counts as away: nothing is begun twice, no line is lost`, async () => {
      const deploying = await standAt(gate);
      await h1.cut();
      await gates.open(gate);
      const away = async () => (await fleet.statusOf('h1')) !== 'connected';
      await until('h1 to be away', away, { timeoutMs: 30_000, everyMs: 250 });
      await h1.heal();
      const { shown } = expectLive(await deploying.end);
      expect(steps(shown, 'h1').filter((one) => !one.endsWith('succeeded 1'))).to.deep.equal([]);
      expect([await gates.begun('install'), await gates.begun('migrate')]).to.deep.equal([1, 1]);
      for (const server of SERVERS) await expectWholeLog(fleet, shown.id, server);
    });
  }

  for (const { victim, phase, step, moment } of drawnBoundaries()) {
    it(`of the ${victim} (kill -9), as ${phase} ${step} has ${moment}`, async () => {
      const commit = await hello.commit(`${victim} ${step} ${moment}`);
      const { id } = await fleet.json<Shown>([
        'deploy',
        'hello',
        'production',
        '--commit',
        commit,
        '--no-wait',
      ]);
      const event = `step_${moment}`;
      await atEvent(
        fleet,
        id,
        (one) => one.event === event && one.host === 'h1' && one.phase === phase && one.step === step,
      );
      if (victim === 'agent') await agent.kill9();
      else await fleet.controller.kill9().then(() => fleet.controller.start());
      const shown = await ended(fleet, id);
      // Between its intent and the command's unit nobody can know whether it was begun.
      const mayBeUnknown = victim === 'agent' && step === 'migrate' && moment === 'started';
      if (mayBeUnknown && shown.status === 'paused') return expectContinues(shown);
      expectLive({ code: 0, shown, stderr: '' });
      expect(await gates.begun('migrate'), 'times the migration was begun').to.equal(1);
      await expectWholeLog(fleet, id, 'h1');
    });
  }

  /** Deploys a new commit, until the first host stands at the gate. */
  async function standAt(gate: Gate): Promise<{ end: Promise<Deployed> }> {
    await gates.close(gate);
    await hello.commit(`stands at ${gate}`);
    const end = deploy(fleet);
    await Promise.race([
      gates.entered(gate),
      end.then(() => Promise.reject(new Error(`never came to ${gate}`))),
    ]);
    return { end };
  }

  /** Until the one command that runs on the host has ended by itself. */
  async function commandEnded(): Promise<void> {
    const [unit = ''] = await agent.transientUnits();
    await until(`${unit} to have ended`, async () => {
      const shown = await h1.must(['systemctl', 'show', '--property=SubState', '--value', unit]);
      return shown.trim() === 'exited';
    });
  }

  /** After a test that failed: everything is on again and nothing is being deployed, so that the next one can tell its own story. */
  async function mend(): Promise<void> {
    if (await isDown()) await h1.boot();
    await h1.heal();
    await agent.release();
    await gates.reset();
    if (!fleet.controller.running) await fleet.controller.start();
    const { deployments } = await fleet.json<{ deployments: readonly Shown[] }>(['history']);
    const open = deployments.filter(({ status }) =>
      ['queued', 'running', 'paused', 'rolling_back'].includes(status),
    );
    for (const { id } of open) await fleet.cli(['cancel', id]);
  }

  async function isDown(): Promise<boolean> {
    return h1.exec(['true']).then(
      () => false,
      (error: Error) => error.message.endsWith('is off'),
    );
  }

  async function stateOf(unit: string): Promise<string> {
    return (await h1.must(['systemctl', 'show', '--property=ActiveState', '--value', unit])).trim();
  }

  function expectLive(deployed: Deployed): Deployed {
    const { code, shown, stderr } = deployed;
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
    expect(shown.hosts.map(({ new_version }) => new_version)).to.deep.equal([shown.commit, shown.commit]);
    return deployed;
  }

  function expectPaused({ code, shown }: Deployed): Shown {
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([4, 'paused', 'outcome_unknown']);
    expect(shown.reason?.hint).to.contain(`fraisier continue ${shown.id}`);
    expect(steps(shown, 'h1')).to.include('migrate migrate interrupted 1');
    return shown;
  }

  /** It was begun once at most; now that somebody has looked at the database, it is begun once more and ends. */
  async function expectContinues(paused: Shown): Promise<void> {
    const begun = await gates.begun('migrate');
    expect(begun, 'times the migration was begun before').to.be.at.most(1);
    const continued = await follow(fleet, ['continue', paused.id]);
    expectLive(continued);
    expect(await gates.begun('migrate')).to.equal(begun + 1);
  }
});
