import { expect } from 'chai';
import { until } from '../support/until.js';
import { installAgent, UNIT } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';
import { APP_PATH, makeHello, type Hello } from './hello.js';

const POLICY = '/etc/fraisier/policy.yaml';

describe('agent install on a real systemd host', function () {
  this.timeout(60_000);
  let fleet: Fleet;
  let hello: Hello;
  let token: string;

  before(async () => {
    fleet = await startFleet();
    hello = await makeHello(fleet);
    token = await installAgent(fleet, 'h1', hello.allowing);
  });

  after(() => fleet.stop());

  it('leaves an active unit that starts with the host', async () => {
    const host = fleet.server('h1');
    expect((await host.must(['systemctl', 'is-active', UNIT])).trim()).to.equal('active');
    expect((await host.must(['systemctl', 'is-enabled', UNIT])).trim()).to.equal('enabled');
    expect((await host.must(['ps', '-C', 'node', '-o', 'user=,args='])).trim()).to.match(/^root .* agent$/);
  });

  it('writes a policy that root owns and nobody else can write to', async () => {
    const owner = await fleet.server('h1').must(['stat', '--format=%U %a', POLICY]);
    expect(owner.trim()).to.equal('root 644');
    expect(await fleet.server('h1').must(['cat', POLICY]))
      .to.contain(APP_PATH)
      .and.to.contain('sh migrate.sh *');
  });

  it('keeps the join token in no file, no journal and no process list', async () => {
    const places = '/etc /var/lib /var/log /run/systemd /root /home';
    const script = `read -r token; ! grep -rIlF -- "$token" ${places} && ! journalctl --no-pager | grep -F -- "$token" && ! ps -eo args | grep -vF grep | grep -F -- "$token"`;
    const { code, stdout } = await fleet.server('h1').exec(['sh', '-c', script], { input: `${token}\n` });
    expect(stdout).to.equal('');
    expect(code).to.equal(0);
  });

  it('is as good twice as once: nothing is added, the agent stays who it is', async () => {
    const host = fleet.server('h1');
    const before = await host.must(['cat', POLICY, `/etc/systemd/system/${UNIT}`]);
    const done = await host.must([
      'fraisier',
      'agent',
      'install',
      '--controller',
      fleet.lab.address,
      ...hello.allowing,
    ]);
    expect(done).to.contain('enrolled already').and.not.to.contain('allowed');
    expect(await host.must(['cat', POLICY, `/etc/systemd/system/${UNIT}`])).to.equal(before);
    await fleet.connected('h1');
    const { agents } = await fleet.json<{ agents: unknown[] }>(['agents']);
    expect(agents).to.have.length(1);
  });

  it('refuses an ordinary user with a sentence, and changes nothing', async () => {
    const install = ['fraisier', 'agent', 'install', '--controller', fleet.lab.address] as const;
    const { code, stderr } = await fleet.server('h2').exec(['runuser', '-u', USER, '--', ...install]);
    expect([code, stderr]).to.deep.equal([
      2,
      'error: installing the agent needs root\nnext: run it with sudo, or run `fraisier agent` as this user without a unit\n',
    ]);
    expect((await fleet.server('h2').exec(['ls', POLICY, `/etc/systemd/system/${UNIT}`])).code).not.to.equal(
      0,
    );
  });

  it('refuses a token that was used, and says what to do', async () => {
    const install = [
      'fraisier',
      'agent',
      'install',
      '--controller',
      fleet.lab.address,
      '--join-token-file',
      '-',
    ] as const;
    const { code, stderr } = await fleet.server('h2').exec(install, { input: `${token}\n` });
    expect(code).to.equal(5);
    expect(stderr).to.match(/^error: .*token.*used.*\nnext: .*fraisier agents token.*\n$/);
    expect((await fleet.server('h2').exec(['systemctl', 'is-active', UNIT])).stdout.trim()).to.equal(
      'inactive',
    );
  });

  it('lets root alone widen what a host allows: a unit that is not listed is refused with the command for root', async () => {
    await fleet.apply(configurationFor(hello, 'h1').replace('hello.service', 'other.service'));
    const { code, stderr } = await fleet.cli(['deploy', 'hello', 'production', '--branch', 'main']);
    expect(code, stderr).to.equal(5);
    expect(stderr).to.contain(`${POLICY} does not allow the unit other.service`);
    expect(stderr).to.contain('sudo fraisier agent allow --unit other.service');
    const { deployments } = await fleet.json<{ deployments: unknown[] }>(['history']);
    expect(deployments).to.deep.equal([]);
  });

  it('does not start an agent again that was revoked', async () => {
    await fleet.must(['agents', 'revoke', 'h1']);
    const host = fleet.server('h1');
    const ended = await until('the unit to have ended', async () => {
      const shown = await host.must(['systemctl', 'show', '--property=ActiveState,ExecMainStatus', UNIT]);
      return shown.includes('ActiveState=active') ? null : shown;
    });
    expect(ended).to.contain('ExecMainStatus=5').and.to.contain('ActiveState=failed');
  });
});

/** The same for one host only. */
function configurationFor(hello: Hello, server: string): string {
  return hello.configuration.replace(/hosts: .*/, `hosts: [${server}]`);
}
