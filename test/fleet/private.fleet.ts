import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installAgent } from './agent-unit.js';
import { follow, type Deployed } from './deploying.js';
import { startFleet, type Fleet } from './fleet.js';
import type { Host } from './lab/host.js';
import { APP_PATH, makeSite, type Site } from './private-repository.js';

describe('a checkout deployed in place, from a private repository over SSH', function () {
  this.timeout(180_000);
  let fleet: Fleet;
  let site: Site;
  let h1: Host;

  before(async () => {
    fleet = await startFleet();
    h1 = fleet.server('h1');
    site = await makeSite(fleet);
    await installAgent(fleet, 'h1', ['--repository', site.address, ...site.allowing]);
    await fleet.apply(site.configuration);
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  const deploy = (): Promise<Deployed> => follow(fleet, ['deploy', 'site', 'production']);

  function expectSucceeded({ code, shown, stderr }: Deployed): void {
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
  }

  it('is refused without the key, with what to do about it, and nothing is written', async () => {
    const { code, stdout, stderr } = await fleet.cli(['deploy', 'site', 'production']);
    expect(code).to.not.equal(0);
    const host = fleet.laptop.address;
    expect(`${stdout}${stderr}`).to.contain(
      `the host key of ${host} is not known on this host, so git did not connect`,
    );
    expect(`${stdout}${stderr}`).to.contain(`ssh-keyscan ${host}`);
  });

  it('is refused with a key that others can read', async () => {
    await h1.must(['chmod', '644', '/etc/fraisier/site-key']);
    const { code, stderr } = await h1.exec(['fraisier', 'agent', 'allow', ...site.credential]);
    expect([code, stderr]).to.satisfy(
      ([exit, said]: [number, string]) =>
        exit !== 0 && said.includes('sudo chmod 600 /etc/fraisier/site-key'),
    );
    await h1.must(['chmod', '600', '/etc/fraisier/site-key']);
  });

  it('is deployed once the host may use its key: exactly the commit, by its user, the key nowhere else', async () => {
    await h1.must(['fraisier', 'agent', 'allow', ...site.credential]);
    const commit = await site.commit('with the key');
    expectSucceeded(await deploy());
    expect((await site.git('rev-parse', 'HEAD')).trim()).to.equal(commit);
    expect(await site.answer()).to.deep.equal({ status: 'ok', commit });
    expect((await h1.must(['find', APP_PATH, '!', '-user', 'deploy'])).trim()).to.equal('');
    expect((await h1.must(['stat', '--format=%a', '/var/lib/fraisier/agent'])).trim()).to.equal('711');
  });

  it('gives its repository to an etl and a scheduled fraise as well, by the same key', async () => {
    const commit = await site.commit('for all three');
    for (const fraise of ['loader', 'reports']) {
      expectSucceeded(await follow(fleet, ['deploy', fraise, 'production']));
      const live = await h1.must(['readlink', `/srv/${fraise}/current`]);
      expect(live.trim()).to.equal(`releases/${commit}`);
    }
    expect((await h1.must(['systemctl', 'is-active', 'reports.timer'])).trim()).to.equal('active');
    expectSucceeded(await deploy());
  });

  it('goes back to the commit it had when a release is broken', async () => {
    const before = (await site.git('rev-parse', 'HEAD')).trim();
    await site.commit('broken', { healthy: false });
    const { code, shown } = await deploy();
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'rolled_back', 'health_check_failed']);
    expect((await site.git('rev-parse', 'HEAD')).trim()).to.equal(before);
    expect(await site.answer()).to.deep.equal({ status: 'ok', commit: before });
    expect((await site.git('status', '--porcelain')).trim()).to.equal('');
  });

  it('is refused while somebody works in it, and the files are named', async () => {
    const before = (await site.git('rev-parse', 'HEAD')).trim();
    await site.commit('good again');
    await writeFile(join(h1.root, APP_PATH, 'server.mjs'), '// somebody is at work\n');
    const { code, shown } = await deploy();
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'failed', 'dirty_tree']);
    expect(shown.reason?.message).to.equal(
      `prepare on h1: the checkout ${APP_PATH} has changes that are not committed: server.mjs`,
    );
    expect(await site.answer()).to.deep.equal({ status: 'ok', commit: before });
    await site.git('checkout', '--quiet', '--', 'server.mjs');
    expectSucceeded(await deploy());
  });
});
