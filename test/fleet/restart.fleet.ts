import { readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { follow, steps, type Deployed } from './deploying.js';
import { USER, type Fleet } from './fleet.js';
import type { Repository } from './kinds.js';
import type { Host } from './lab/host.js';
import { OPERATOR, PORTS, SEEN, SERVE, SOURCES, startRestarting, type Service } from './restarting.js';

interface Fault {
  readonly title: string;
  readonly fraise: Service;
  readonly server: string;
  readonly code: string;
  /** The reason it ends with. */
  readonly said: RegExp;
  /** What whoever watches is told on the way. */
  readonly watched?: RegExp;
}

/** How a release can be no good once it is live, and what is said of it. */
const FAULTS: readonly Fault[] = [
  {
    title: 'a unit that does not start: its last lines are in the reason and in the log',
    fraise: 'restarts',
    server: `console.error('there is no database here');\nprocess.exit(3);\n`,
    code: 'restart_failed',
    said: /^release on h1: restarts\.service (?:did not start|ended right after its start, and systemd starts it again and again); its last words: .* there is no database here$/,
  },
  {
    title: 'a unit that always answers, and is started again and again while it has to stay up',
    fraise: 'socketed',
    server: `${SERVE}setTimeout(() => process.exit(1), 1000);\n`,
    code: 'health_check_failed',
    // The last look may also come at the moment in which it ends.
    said: /^release on h1: the health check .* did not turn green in 5 attempts; the last answer: /,
    watched: /attempt \d of 5: socketed\.service was restarted while it had to stay up \(\d+ restarts\)/,
  },
  {
    title: 'a unit that runs and never answers',
    fraise: 'restarts',
    server: 'setInterval(() => undefined, 1000);\n',
    code: 'health_check_failed',
    said: /did not turn green in 5 attempts; the last answer: http:\/\/127\.0\.0\.1:8101\/: connect ECONNREFUSED 127\.0\.0\.1:8101; command sh say\.sh: exited with 0$/,
  },
  {
    title: 'a service that wants a login: waiting does not mend it',
    fraise: 'restarts',
    server: SERVE.replace('(_, response) => {', '(_, response) => {\n  response.statusCode = 401;'),
    code: 'health_misconfigured',
    said: /^release on h1: the health check http:\/\/127\.0\.0\.1:8101\/ cannot turn green as it is configured: .*: 401 .* \(wanted 200\)/,
  },
];

describe('restarts and health on a real systemd host', function () {
  this.timeout(90_000);
  let fleet: Fleet;
  let code: Repository;
  let h1: Host;

  before(async function () {
    this.timeout(180_000);
    ({ fleet, code } = await startRestarting());
    h1 = fleet.server('h1');
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  it('reload starts a unit that does not run, and has one that runs take the release over as the same process', async () => {
    await expectSucceeded(deploy('reloads'));
    const { pid } = await answer('reloads');
    const commit = await code.commit({ 'more.txt': 'more' });
    await expectSucceeded(deploy('reloads'));
    expect(await answer('reloads')).to.deep.equal({ commit, pid });
  });

  it('reload that the unit refuses ends with the release before, and its process was never touched', async () => {
    const before = await answer('reloads');
    await code.commit({ 'reload.sh': 'echo "not now" >&2\nexit 1\n' });
    const deployed = await deploy('reloads');
    await code.commit({ 'reload.sh': SOURCES['reload.sh'] });
    expectEnd(deployed, 'rolled_back', 'restart_failed');
    expect(deployed.shown.reason?.message).to.contain('reloads.service could not be reloaded');
    expect(await answer('reloads')).to.deep.equal(before);
  });

  it('try_restart leaves a unit alone that does not run, and restarts one that does', async () => {
    await expectSucceeded(deploy('tries'));
    expect(await show('tries.service', 'ActiveState')).to.equal('inactive');
    await h1.must(['systemctl', 'start', 'tries.service']);
    const before = await show('tries.service', 'MainPID');
    await code.commit({ 'more.txt': 'and more' });
    await expectSucceeded(deploy('tries'));
    expect(await show('tries.service', 'ActiveState')).to.equal('active');
    expect(await show('tries.service', 'MainPID')).to.not.equal(before);
  });

  it('a unit and its socket are restarted as one: the socket passes its connections to the new process', async () => {
    await expectSucceeded(deploy('socketed'));
    const [before, since] = [
      await answer('socketed'),
      await show('socketed.socket', 'ActiveEnterTimestampMonotonic'),
    ];
    const commit = await code.commit({ 'more.txt': 'and still more' });
    await expectSucceeded(deploy('socketed'));
    const now = await answer('socketed');
    expect(now.commit).to.equal(commit);
    expect(now.pid).to.not.equal(before.pid);
    expect(Number(await show('socketed.socket', 'ActiveEnterTimestampMonotonic'))).to.be.above(Number(since));
    const owner = await h1.must(['ss', '--listening', '--tcp', '--processes', `sport = :${PORTS.socketed}`]);
    expect(owner, 'systemd holds the socket').to.contain('"systemd",pid=1,');
  });

  it('hooks and a probe by command are transient units, each as its own user', async () => {
    await expectSucceeded(deploy('restarts'));
    const said = (await readFile(join(h1.root, SEEN, 'said'), 'utf8')).trimEnd().split('\n');
    expect(said[0]).to.match(
      new RegExp(`^before_restart ${OPERATOR} fraisier-r_\\w+-hook_before_restart-1-1\\.service$`),
    );
    expect(said.at(-1)).to.match(
      new RegExp(`^after_health ${USER} fraisier-r_\\w+-hook_after_health-1-1\\.service$`),
    );
    const probes = said.slice(1, -1);
    expect(probes).to.not.deep.equal([]);
    for (const probe of probes)
      expect(probe).to.match(new RegExp(`^probe ${USER} fraisier-r_\\w+-health-1-\\d+\\.service$`));
    expect(await h1.must(['systemctl', 'list-units', '--all', '--no-legend', 'fraisier-r_*'])).to.equal('');
  });

  for (const { title, fraise, server, code: reason, said, watched = /./ } of FAULTS) {
    it(`goes back from ${title}`, async () => {
      const before = await answer(fraise);
      await code.commit({ 'serve.mjs': server });
      const deployed = await deploy(fraise);
      await code.commit(SOURCES);
      expectEnd(deployed, 'rolled_back', reason);
      expect(deployed.shown.reason?.message).to.match(said);
      expect((await fleet.cli(['watch', deployed.shown.id])).stdout).to.match(watched);
      expect((await answer(fraise)).commit).to.equal(before.commit);
      expect(await live(fraise)).to.equal(before.commit);
      expect(steps(deployed.shown, 'h1')).to.include.members([
        'undo restart succeeded 1',
        'undo health succeeded 1',
      ]);
      if (reason !== 'restart_failed') return;
      const log = await fleet.must(['logs', deployed.shown.id, '--step', 'restart']);
      expect(log)
        .to.contain('the last lines of restarts.service:')
        .and.to.contain('there is no database here');
    });
  }

  function deploy(fraise: Service): Promise<Deployed> {
    return follow(fleet, ['deploy', fraise, 'production']);
  }

  async function expectSucceeded(deploying: Promise<Deployed>): Promise<void> {
    const { shown, stderr } = await deploying;
    expect(shown.status, `${JSON.stringify(shown.reason)} ${stderr}`).to.equal('succeeded');
  }

  function expectEnd({ shown }: Deployed, status: string, reason: string): void {
    expect([shown.status, shown.reason?.code], shown.reason?.message).to.deep.equal([status, reason]);
  }

  async function answer(service: Service): Promise<{ readonly commit: string; readonly pid: number }> {
    const url = `http://127.0.0.1:${PORTS[service]}/`;
    return JSON.parse(await h1.must(['curl', '--silent', '--show-error', '--max-time', '5', url])) as {
      commit: string;
      pid: number;
    };
  }

  const show = async (unit: string, property: string) =>
    (await h1.must(['systemctl', 'show', '--value', `--property=${property}`, unit])).trim();
  const live = async (service: Service) => basename(await readlink(join(h1.root, 'srv', service, 'current')));
});
