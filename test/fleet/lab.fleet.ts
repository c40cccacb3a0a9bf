import { expect } from 'chai';
import { until } from '../support/until.js';
import { startLab, type Lab } from './lab/lab.js';
import { leftOf } from './lab/take-down.js';

describe('the lab', () => {
  let lab: Lab;

  before(async () => {
    lab = await startLab({ hosts: ['h1', 'h2'] });
  });

  after(async () => {
    await lab.stop();
    expect(await leftOf(lab.folder)).to.deep.equal([]);
  });

  it('boots hosts with a systemd of their own', async () => {
    for (const host of lab.hosts) {
      expect((await host.must(['cat', '/proc/1/comm'])).trim()).to.equal('systemd');
      expect((await host.must(['hostname'])).trim()).to.equal(host.name);
      const { stdout } = await host.exec(['systemctl', 'is-system-running']);
      expect(stdout.trim()).to.be.oneOf(['running', 'degraded']);
    }
  });

  it('shows this checkout to every host as the program fraisier', async () => {
    expect(await lab.host('h1').must(['fraisier', '--version'])).to.match(/^fraisier \d+\.\d+\.\d+\n$/);
  });

  it('cuts a host off the network and heals it again', async () => {
    const host = lab.host('h1');
    expect(await reaches(lab, host.address)).to.equal(true);
    await host.cut();
    expect(await reaches(lab, host.address)).to.equal(false);
    expect(await reaches(lab, lab.host('h2').address)).to.equal(true);
    await host.heal();
    await until('the host to be reached again', () => reaches(lab, host.address));
  });

  it('takes the power of a host away, and its disk survives', async () => {
    const host = lab.host('h2');
    await host.must(['sh', '-c', 'echo kept >/srv/file && sync']);
    const boot = await host.must(['cat', '/proc/sys/kernel/random/boot_id']);
    await host.powerOff();
    expect(await reaches(lab, host.address)).to.equal(false);
    await host.boot();
    expect((await host.must(['cat', '/srv/file'])).trim()).to.equal('kept');
    expect(await host.must(['cat', '/proc/sys/kernel/random/boot_id'])).not.to.equal(boot);
  });
});

/** Whether the host's init answers on the network: a refused connection is an answer, silence is none. */
async function reaches(lab: Lab, address: string): Promise<boolean> {
  const { stderr, code } = await lab.exec(['curl', '-sS', '--connect-timeout', '1', `http://${address}:9/`]);
  return code === 0 || stderr.includes('refused') || /Failed to connect .* after \d{1,2} ms/.test(stderr);
}
