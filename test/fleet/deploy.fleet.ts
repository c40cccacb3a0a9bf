import { expect } from 'chai';
import { until } from '../support/until.js';
import { AgentUnit, UNIT } from './agent-unit.js';
import { deploy, ended, expectWholeLog, steps, type Deployed, type Shown } from './deploying.js';
import { SERVERS, USER, type Fleet } from './fleet.js';
import { Gates } from './gates.js';
import { startHelloFleet, type Hello } from './hello.js';
import type { Host } from './lab/host.js';

/** Puts another version of the program into its place and restarts the unit, as an upgrade does. */
async function upgrade(host: Host, version: string): Promise<void> {
  const file = '/opt/fraisier/package.json';
  const script = `sed 's/"version": "[^"]*"/"version": "${version}"/' ${file} >/run/newer.json && mount --bind /run/newer.json ${file}`;
  await host.must(['sh', '-c', script]);
  await host.must(['systemctl', 'restart', UNIT]);
}

describe('a deployment to real systemd hosts, from the laptop', function () {
  this.timeout(90_000);
  let fleet: Fleet;
  let hello: Hello;
  let h1: Host;
  let h2: Host;
  let gates: Gates;

  before(async () => {
    ({ fleet, hello } = await startHelloFleet());
    h1 = fleet.server('h1');
    h2 = fleet.server('h2');
    gates = new Gates(h1);
    await hello.commit('the one that is live');
    expectSucceeded(await deploy(fleet));
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  beforeEach(() => gates.reset());

  it('ends with every unit active and serving the commit, the logs whole', async () => {
    const commit = await hello.commit('whole');
    const deployed = await deploy(fleet);
    expectSucceeded(deployed);
    expect(deployed.stderr).to.match(/^d_\w+ goes on without this command: .*\n$/);
    await expectLive(commit);
    for (const server of SERVERS) await expectWholeLog(fleet, deployed.shown.id, server);
    expect(await new Gates(h2).begun('migrate'), 'migrations begun on the other host').to.equal(0);
  });

  it('comes from a push as well', async () => {
    const commit = await hello.commit('pushed');
    const shown = await ended(fleet, await fleet.push(hello.repository, commit));
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    await expectLive(commit);
  });

  it('runs each command as a transient unit with its own user, and leaves no unit behind, also none that failed', async () => {
    await gates.close('install');
    await hello.commit('units');
    const deploying = deploy(fleet);
    await gates.entered('install');
    const [unit = '', ...others] = await new AgentUnit(h1).transientUnits();
    expect(others).to.deep.equal([]);
    expect(unit).to.match(/^fraisier-r_\w+-install-1-1\.service$/);
    const shown = await h1.must(['systemctl', 'show', '--property=User,ControlGroup,Before', unit]);
    expect(shown).to.contain(`User=${USER}`).and.to.contain(`/system.slice/${unit}`);
    expect(shown, 'when the host goes down the agent is stopped first').to.match(
      /^Before=.*fraisier-agent\.service/m,
    );
    await gates.open('install');
    expectSucceeded(await deploying);
    for (const server of SERVERS) {
      expect(await new AgentUnit(fleet.server(server)).transientUnits()).to.deep.equal([]);
      expect(
        await fleet.server(server).must(['systemctl', 'list-units', '--failed', '--no-legend', 'fraisier-*']),
      ).to.equal('');
    }
  });

  it('goes on while the unit of the agent is restarted: the service stays up, nothing is begun again (row 8)', async () => {
    const before = (await hello.answer(h1)).commit;
    const process = await hello.process(h1);
    await gates.close('install');
    const commit = await hello.commit('restarted');
    const deploying = deploy(fleet);
    await gates.entered('install');
    await h1.must(['systemctl', 'restart', UNIT]);
    await fleet.connected('h1');
    expect([await hello.process(h1), (await hello.answer(h1)).commit]).to.deep.equal([process, before]);
    await gates.open('install');
    const deployed = await deploying;
    expectSucceeded(deployed);
    await expectLive(commit);
    expect(await gates.begun('install')).to.equal(1);
    await expectWholeLog(fleet, deployed.shown.id, 'h1');
  });

  it('goes on while the agent is exchanged for a newer one: it takes the running migration over (row 8)', async () => {
    await gates.close('migrate');
    const commit = await hello.commit('upgraded');
    const deploying = deploy(fleet);
    await gates.entered('migrate');
    const unit = await new AgentUnit(h1).transientUnits();
    await upgrade(h1, '99.0.0');
    const upgraded = async () => (await fleet.agent('h1'))?.agent_version === '99.0.0';
    await until('the newer agent to be connected', upgraded, { everyMs: 200 });
    expect(await new AgentUnit(h1).transientUnits()).to.deep.equal(unit);
    await gates.open('migrate');
    const deployed = await deploying;
    expectSucceeded(deployed);
    await expectLive(commit);
    expect(await gates.begun('migrate')).to.equal(1);
    expect(steps(deployed.shown, 'h1')).to.include('migrate migrate succeeded 1');
  });

  it('takes a release back that is broken on the first host (row 12): both serve the old one, the second was never touched, the migration is undone once', async () => {
    const before = (await hello.answer(h1)).commit;
    const process = await hello.process(h2);
    const migrations = await hello.migrations();
    await hello.commit('broken', { healthy: false });
    const { code, shown } = await deploy(fleet);
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'rolled_back', 'health_check_failed']);
    await expectLive(before);
    expect(await hello.process(h2)).to.equal(process);
    expect(await hello.migrations()).to.deep.equal(migrations);
    expect(await gates.begun('migrate')).to.equal(1);
    expect(undone(shown)).to.deep.equal(['h1 migrate_down migrate_down succeeded 1']);
  });

  it('takes a release back that is broken on a later host (row 12): all up to it are back on the old one, the migration is undone once', async () => {
    const before = (await hello.answer(h1)).commit;
    const process = await hello.process(h1);
    const migrations = await hello.migrations();
    await hello.commit('broken on h2', { brokenOn: 'h2' });
    const { code, shown } = await deploy(fleet);
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'rolled_back', 'health_check_failed']);
    expect(shown.reason?.message).to.match(/^release on h2: /);
    await expectLive(before);
    expect(await hello.process(h1), 'h1 had the release').to.not.equal(process);
    for (const [server, released] of [
      ['h1', 'release health succeeded 1'],
      ['h2', 'release health failed 1'],
    ] as const) {
      expect(steps(shown, server)).to.include.members([released, 'undo health succeeded 1']);
    }
    expect(await hello.migrations()).to.deep.equal(migrations);
    expect(undone(shown)).to.deep.equal(['h1 migrate_down migrate_down succeeded 1']);
  });

  /** Every time the migration tool was told to undo something, with its host. */
  function undone(shown: Shown): readonly string[] {
    return SERVERS.flatMap((server) => steps(shown, server).map((step) => `${server} ${step}`)).filter(
      (step) => / migrate_down (?!migration_)/.test(step),
    );
  }

  function expectSucceeded({ code, shown, stderr }: Deployed): void {
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
    expect(shown.hosts.map(({ new_version }) => new_version)).to.deep.equal([shown.commit, shown.commit]);
  }

  async function expectLive(commit: string): Promise<void> {
    for (const server of SERVERS) {
      const active = await fleet.server(server).must(['systemctl', 'is-active', 'hello.service']);
      expect([active.trim(), await hello.answer(fleet.server(server))], server).to.deep.equal([
        'active',
        { status: 'ok', commit },
      ]);
    }
  }
});
