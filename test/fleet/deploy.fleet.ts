import { expect } from 'chai';
import { until } from '../support/until.js';
import { startFleet, type Fleet } from './fleet.js';
import type { Host } from './lab/host.js';
import { allowService, UnitService } from './unit-service.js';

/** The parts of `fraisier show --json` that are looked at here. */
interface Shown {
  readonly status: string;
  readonly reason: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly hosts: readonly {
    readonly host: string;
    readonly steps: readonly {
      readonly phase: string;
      readonly name: string;
      readonly status: string;
      readonly attempts: number;
    }[];
  }[];
}

describe('a deployment on real hosts', () => {
  let fleet: Fleet;
  let service: UnitService;
  let [first, second]: readonly Host[] = [];

  before(async () => {
    fleet = await startFleet(['h1', 'h2'], allowService('http://10.99.0.1:8081/hello.git'));
    [first, second] = fleet.lab.hosts;
    service = await UnitService.make(fleet);
    await fleet.apply(service.configuration());
  });

  // The fleet is not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  it('goes from a push to every unit, one host after the other, and migrates once', async () => {
    const commit = await service.commit('first', { migrations: ['one'] });
    const shown = await ended(await fleet.push(service.repository, commit));
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    await expectServed(commit);
    expect(await service.applied(host(first))).to.deep.equal(['one']);
    expect(await service.begun(host(second), 'migrate')).to.equal(0);
  });

  it('runs each command as a transient unit of its own and leaves none behind', async () => {
    await service.close(host(first), 'install');
    const id = await fleet.push(service.repository, await service.commit('units'));
    await service.entered(host(first), 'install');
    expect(await transientUnits(host(first))).to.have.length(1);
    await service.open(host(first), 'install');
    expect((await ended(id)).status).to.equal('succeeded');
    expect(await transientUnits(host(first))).to.deep.equal([]);
  });

  it("survives a restart of the agent's unit in the middle of a command, which is not begun again", async () => {
    const begun = await service.begun(host(first), 'install');
    await service.close(host(first), 'install');
    const commit = await service.commit('restart of the agent');
    const id = await fleet.push(service.repository, commit);
    await service.entered(host(first), 'install');
    await host(first).must(['systemctl', 'restart', 'fraisier-agent.service']);
    await service.open(host(first), 'install');
    const shown = await ended(id);
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    expect(await service.begun(host(first), 'install')).to.equal(begun + 1);
    await expectServed(commit);
  });

  it('goes on where it was when a host was cut off for longer than its lease', async () => {
    const begun = await service.begun(host(first), 'install');
    await service.close(host(first), 'install');
    const commit = await service.commit('cut off');
    const id = await fleet.push(service.repository, commit);
    await service.entered(host(first), 'install');
    await host(first).cut();
    await fleet.connected('h1', false);
    await service.open(host(first), 'install');
    await host(first).heal();
    const shown = await ended(id);
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    expect(await service.begun(host(first), 'install')).to.equal(begun + 1);
    await expectServed(commit);
  });

  it('never guesses about a migration in which its host lost power: it pauses with the reason, and continue goes on', async () => {
    const begun = await service.begun(host(first), 'migrate');
    await service.close(host(first), 'migrate');
    const commit = await service.commit('power', { migrations: ['one', 'two'] });
    const id = await fleet.push(service.repository, commit);
    await service.entered(host(first), 'migrate');
    await host(first).must(['sync']);
    await host(first).powerOff();
    await host(first).boot();
    const paused = await ended(id);
    expect([paused.status, paused.reason?.code]).to.deep.equal(['paused', 'host_rebooted']);
    expect(paused.reason?.hint).to.contain(id);
    expect(await service.begun(host(first), 'migrate')).to.equal(begun + 1);
    await service.open(host(first), 'migrate');
    expect((await fleet.cli(['continue', id])).code).to.equal(0);
    const shown = await ended(id);
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    expect(await service.applied(host(first))).to.deep.equal(['one', 'two']);
    await expectServed(commit);
  });

  it('puts the first host back when its release is broken, the database too, and touches no other', async () => {
    const good = await service.served(host(second));
    const since = await startedAt(host(second));
    const broken = await service.commit('broken', { healthy: false, migrations: ['one', 'two', 'three'] });
    const shown = await ended(await fleet.push(service.repository, broken));
    expect(shown.status, shown.reason?.message).to.equal('rolled_back');
    await expectServed(good);
    expect(await startedAt(host(second)), 'the other unit was not restarted').to.equal(since);
    expect(await service.applied(host(first))).to.deep.equal(['one', 'two']);
  });

  it('is finished after the controller was killed in the middle', async () => {
    await service.close(host(first), 'install');
    const commit = await service.commit('controller', { migrations: ['one', 'two'] });
    const id = await fleet.push(service.repository, commit);
    await service.entered(host(first), 'install');
    await fleet.controller.kill9();
    await service.open(host(first), 'install');
    await fleet.controller.start();
    const shown = await ended(id);
    expect(shown.status, shown.reason?.message).to.equal('succeeded');
    await expectServed(commit);
  });

  it('refuses, before anything is touched, what the host itself does not allow', async () => {
    const good = await service.served(host(first));
    await fleet.apply(service.configuration().replace('[sh, install.sh]', '[sh, -c, "id >/root/owned"]'));
    const { code } = await fleet.cli([
      'deploy',
      'hello',
      'production',
      '--commit',
      await service.commit('refused'),
    ]);
    await fleet.apply(service.configuration());
    expect(code).to.equal(5);
    expect((await host(first).exec(['test', '-e', '/root/owned'])).code).to.equal(1);
    await expectServed(good);
  });

  function ended(id: string): Promise<Shown> {
    const look = async () => {
      const shown = await fleet.json<Shown>(['show', id]);
      return ['queued', 'running', 'rolling_back'].includes(shown.status) ? undefined : shown;
    };
    return until(`${id} to end`, look, { timeoutMs: 90_000, everyMs: 300 });
  }

  async function expectServed(commit: string): Promise<void> {
    for (const one of fleet.lab.hosts) expect(await service.served(one), one.name).to.equal(commit);
  }
});

function host(found: Host | undefined): Host {
  if (found === undefined) throw new Error('the fleet has not started');
  return found;
}

async function transientUnits(found: Host): Promise<readonly string[]> {
  const units = await found.must([
    'systemctl',
    'list-units',
    '--all',
    '--plain',
    '--no-legend',
    'fraisier-r_*',
    'fraisier-*.service',
  ]);
  const names = units.split('\n').map((line) => line.split(' ')[0] ?? '');
  return [...new Set(names)].filter((name) => name !== '' && name !== 'fraisier-agent.service');
}

/** When the service's unit was last started. */
async function startedAt(found: Host): Promise<string> {
  return found.must(['systemctl', 'show', '--property=ActiveEnterTimestampMonotonic', 'hello.service']);
}
