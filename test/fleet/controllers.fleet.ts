import { expect } from 'chai';
import type { Gate } from '../system/gated-service.js';
import type { CommandOutput } from '../support/run-command.js';
import { until } from '../support/until.js';
import { deploy, expectWholeLog, type Deployed, type WatchedEvent } from './deploying.js';
import { SERVERS, type Fleet } from './fleet.js';
import { Gates } from './gates.js';
import { startHelloFleet, type Hello } from './hello.js';

/** Where the deployment stands still while one controller after the other is restarted. */
const STOPS: readonly Gate[] = ['install', 'migrate', 'restart'];

describe('three controllers over one database, behind one name', function () {
  this.timeout(150_000);
  let fleet: Fleet;
  let hello: Hello;
  let gates: Gates;

  before(async () => {
    ({ fleet, hello } = await startHelloFleet(SERVERS, { controllers: 3 }));
    gates = new Gates(fleet.server('h1'));
    await hello.commit('the one that is live');
    expectLive(await deploy(fleet));
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  beforeEach(() => Promise.all(SERVERS.map((server) => new Gates(fleet.server(server)).reset())));

  afterEach(async function () {
    if (this.currentTest?.state !== 'passed') process.stdout.write(`${await fleet.logs()}\n`);
  });

  it('are restarted one after the other in the middle of a deployment, and neither agents nor those who follow it notice more than a pause (row 2)', async () => {
    for (const gate of STOPS) await gates.close(gate);
    const commit = await hello.commit('while controllers are restarted');
    const deploying = deploy(fleet);
    await gates.entered('install');
    const watching = fleet.cli(['watch', await unfinished(), '--json']);
    for (const [index, gate] of STOPS.entries()) {
      await gates.entered(gate);
      expect(await fleet.controllers[index]?.stop(), 'how the controller ended').to.equal(0);
      await Promise.all(SERVERS.map((server) => fleet.connected(server)));
      expect((await fleet.login()).code, 'logging in, by a name whose addresses are not all there').to.equal(
        0,
      );
      await fleet.controllers[index]?.start();
      await gates.open(gate);
    }
    const { shown } = expectLive(await deploying);
    expect(shown.commit).to.equal(commit);
    for (const gate of STOPS) expect(await gates.begun(gate), `times ${gate} was begun`).to.equal(1);
    await expectWholeLog(fleet, shown.id, 'h1');
    expectWholeStory(await watching);
  });

  it('wait out a fail-over of their database: nothing is taken or lost meanwhile, and the deployment goes on (row 11)', async () => {
    await gates.close('install');
    const commit = await hello.commit('while the database fails over');
    const deploying = deploy(fleet);
    await gates.entered('install');
    await fleet.database.failOver();
    const { error_type } = await fleet.deliver({ repository: hello.repository, branch: 'main', commit }, 1);
    expect(error_type).to.equal('database_unavailable');
    await gates.open('install');
    // No lease can be renewed: all of them run out.
    const away = async () => (await fleet.statusOf('h1')) === 'away';
    await until('h1 to count as away', away, { timeoutMs: 30_000, everyMs: 250 });
    await fleet.database.promote();
    const { shown } = expectLive(await deploying);
    expect(shown.commit).to.equal(commit);
    for (const gate of STOPS) expect(await gates.begun(gate), `times ${gate} was begun`).to.equal(1);
    await expectWholeLog(fleet, shown.id, 'h1');
  });

  async function unfinished(): Promise<string> {
    const { deployments } = await fleet.json<{ deployments: readonly { id: string }[] }>([
      'history',
      '--limit',
      '1',
    ]);
    return deployments[0]?.id ?? '';
  }

  /** What every host told, once and in order, up to the end. */
  function expectWholeStory({ code, stdout, stderr }: CommandOutput): void {
    expect(code, stderr).to.equal(0);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as WatchedEvent);
    const told = events
      .filter(({ event }) => event.startsWith('step_'))
      .map((one) => [one.host, one.phase, one.step, one.event].join(' '));
    expect(told.filter((one, at) => told.indexOf(one) !== at)).to.deep.equal([]);
    expect(told.filter((one) => one.endsWith('step_started')).length).to.equal(
      told.filter((one) => one.endsWith('step_finished')).length,
    );
  }

  function expectLive(deployed: Deployed): Deployed {
    const { code, shown, stderr } = deployed;
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
    expect(new Set(shown.hosts.map(({ new_version }) => new_version))).to.deep.equal(new Set([shown.commit]));
    return deployed;
  }
});
