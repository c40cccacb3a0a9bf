import { expect } from 'chai';
import { until } from '../support/until.js';
import { AgentUnit } from './agent-unit.js';
import { deploy, expectWholeLog, follow, steps, type Deployed, type Shown } from './deploying.js';
import type { Fleet, Server } from './fleet.js';
import { Gates } from './gates.js';
import { startHelloFleet, type Hello } from './hello.js';

const TEN = Array.from({ length: 10 }, (_, index): Server => `h${index + 1}`);

/** One host after the other, the database on the first. */
describe('ten real hosts', function () {
  this.timeout(240_000);
  let fleet: Fleet;
  let hello: Hello;

  before(async () => {
    ({ fleet, hello } = await startHelloFleet(TEN));
    await hello.commit('the one that is live');
    expectSucceeded(await deploy(fleet));
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  beforeEach(() => Promise.all(TEN.map((server) => gatesOf(server).reset())));

  afterEach(async function () {
    if (this.currentTest?.state !== 'passed') process.stdout.write(`${await fleet.logs()}\n`);
  });

  it('a release that is broken on the first leaves nine untouched, and the database as it was (row 12)', async () => {
    const before = await everywhere();
    const [migrations, processes] = [await hello.migrations(), await processesOf(TEN)];
    await hello.commit('broken on h1', { brokenOn: 'h1' });
    const { shown } = expectRolledBack(await deploy(fleet));
    expect(await everywhere()).to.deep.equal(before);
    expect((await processesOf(TEN)).slice(1)).to.deep.equal(processes.slice(1));
    expect(await hello.migrations()).to.deep.equal(migrations);
    expect(releasedIn(shown)).to.deep.equal(['h1']);
    expect(undoneIn(shown)).to.deep.equal(['h1 migrate_down migrate_down succeeded 1']);
    await expectSameStory(shown);
  });

  it('a release that is broken on the sixth brings the five before it back, and the database down once (row 12)', async () => {
    const before = await everywhere();
    const [migrations, processes] = [await hello.migrations(), await processesOf(TEN)];
    await hello.commit('broken on h6', { brokenOn: 'h6' });
    const { shown } = expectRolledBack(await deploy(fleet));
    expect(await everywhere()).to.deep.equal(before);
    expect((await processesOf(TEN)).slice(6)).to.deep.equal(processes.slice(6));
    expect(await hello.migrations()).to.deep.equal(migrations);
    expect(releasedIn(shown)).to.deep.equal(TEN.slice(0, 6));
    for (const server of TEN.slice(0, 6))
      expect(steps(shown, server), server).to.include('undo health succeeded 1');
    expect(undoneIn(shown)).to.deep.equal(['h1 migrate_down migrate_down succeeded 1']);
    await expectSameStory(shown);
  });

  it('one that loses power in the middle of its restart is restarted again once it is back, and all have the release (row 2)', async () => {
    const gates = gatesOf('h4');
    await gates.close('restart');
    await hello.commit('power is lost');
    const deploying = deploy(fleet);
    await gates.entered('restart');
    await fleet.server('h4').powerOff();
    await gates.open('restart');
    await fleet.server('h4').boot();
    const { shown } = expectSucceeded(await deploying);
    expect(steps(shown, 'h4')).to.include('release restart succeeded 2');
    expect(await gatesOf('h1').begun('migrate')).to.equal(1);
    await expectSameStory(shown);
  });

  for (const [gate, server, phase] of [
    ['install', 'h7', 'prepare'],
    ['migrate', 'h1', 'migrate'],
    ['restart', 'h9', 'release'],
  ] as const) {
    it(`one that is cut off in its ${phase} until it counts as away goes on, and nothing is begun twice (row 1)`, async () => {
      const gates = gatesOf(server);
      await gates.close(gate);
      await hello.commit(`cut off in ${phase}`);
      const deploying = deploy(fleet);
      await gates.entered(gate);
      await fleet.server(server).cut();
      const away = async () => (await fleet.statusOf(server)) !== 'connected';
      await until(`${server} to be away`, away, { timeoutMs: 30_000, everyMs: 250 });
      await gates.open(gate);
      const { next, causes } = await fleet.json<Why>(['why', 'hello', 'production']);
      expect([causes.at(-1)?.code, next]).to.deep.equal([
        'agent_away',
        `systemctl status fraisier-agent (on ${server})`,
      ]);
      await fleet.server(server).heal();
      const { shown } = expectSucceeded(await deploying);
      expect(await gates.begun(gate)).to.equal(1);
      await expectWholeLog(fleet, shown.id, server);
      await expectSameStory(shown);
    });
  }

  it('one whose agent dies with the migration in its hands pauses the deployment, and it goes on when somebody says so (row 2)', async () => {
    const gates = gatesOf('h1');
    const agent = new AgentUnit(fleet.server('h1'));
    await gates.close('migrate');
    await hello.commit('the agent dies');
    const deploying = deploy(fleet);
    await gates.entered('migrate');
    await agent.kill9AndHold();
    const [unit = ''] = await agent.transientUnits();
    await fleet.server('h1').must(['systemctl', 'kill', '--signal=KILL', unit]);
    await agent.release();
    const { code, shown } = await deploying;
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([4, 'paused', 'outcome_unknown']);
    expect(steps(shown, 'h1')).to.include('migrate migrate interrupted 1');
    expect(releasedIn(shown)).to.deep.equal([]);
    await expectSameStory(shown);
    const why = await fleet.json<Why>(['why', shown.id]);
    expect(why.causes[0]?.code).to.equal('outcome_unknown');
    expect(why.next).to.contain(`fraisier continue ${shown.id}`);
    await gates.open('migrate');
    const continued = expectSucceeded(await follow(fleet, ['continue', shown.id]));
    expect(await gates.begun('migrate')).to.equal(2);
    await expectSameStory(continued.shown);
  });

  function gatesOf(server: Server): Gates {
    return new Gates(fleet.server(server));
  }

  /** What every host serves. */
  function everywhere(): Promise<readonly object[]> {
    return Promise.all(TEN.map((server) => hello.answer(fleet.server(server))));
  }

  function processesOf(servers: readonly Server[]): Promise<readonly number[]> {
    return Promise.all(servers.map((server) => hello.process(fleet.server(server))));
  }

  function releasedIn(shown: Shown): readonly string[] {
    return TEN.filter((server) => steps(shown, server).some((step) => step.startsWith('release ')));
  }

  /** Every time the migration tool was told to undo something, with its host. */
  function undoneIn(shown: Shown): readonly string[] {
    return TEN.flatMap((server) => steps(shown, server).map((step) => `${server} ${step}`)).filter((step) =>
      / migrate_down (?!migration_)/.test(step),
    );
  }

  function expectSucceeded(deployed: Deployed): Deployed {
    const { code, shown, stderr } = deployed;
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
    expect(new Set(shown.hosts.map(({ new_version }) => new_version))).to.deep.equal(new Set([shown.commit]));
    return deployed;
  }

  function expectRolledBack(deployed: Deployed): Deployed {
    const { code, shown } = deployed;
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'rolled_back', 'health_check_failed']);
    return deployed;
  }

  /** History tells of it what `show` does, and the status of every host is what `show` says is live there. */
  async function expectSameStory({ id, status, reason, hosts }: Shown): Promise<void> {
    const { deployments } = await fleet.json<{ deployments: readonly Shown[] }>(['history', '--limit', '1']);
    expect(deployments.map((one) => [one.id, one.status, one.reason?.code])).to.deep.equal([
      [id, status, reason?.code],
    ]);
    if (status === 'paused') return;
    const told = await fleet.must(['status', 'hello', 'production']);
    const live = await everywhere();
    for (const { host, new_version } of hosts.filter(({ new_version }) => new_version !== null)) {
      expect(live[TEN.indexOf(host as Server)], host).to.include({ commit: new_version });
      expect(told).to.contain(new_version?.slice(0, 7));
    }
  }
});

interface Why {
  readonly next: string;
  readonly causes: readonly { readonly code: string }[];
}
