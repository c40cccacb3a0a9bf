import { expect } from 'chai';
import { until } from '../support/until.js';
import { installAgent } from './agent-unit.js';
import { atEvent, deploy, ended } from './deploying.js';
import { SERVERS, startFleet, type Fleet } from './fleet.js';
import { APP_PATH, makeHello, type Hello } from './hello.js';
import type { Host } from './lab/host.js';

const STATE = '/var/lib/fraisier/agent';
const SMALL = '/srv/small';
const BALLAST = `${SMALL}/ballast`;

/** Every step of a deployment of the sample, with its phase. */
const STEPS = [
  ['prepare', 'preflight'],
  ['prepare', 'fetch'],
  ['prepare', 'stage'],
  ['prepare', 'install'],
  ['migrate', 'migrate'],
  ['release', 'activate'],
  ['release', 'restart'],
  ['release', 'health'],
  ['prune', 'prune'],
] as const;

describe('a disk that is full, on a real systemd host (row 9)', function () {
  this.timeout(120_000);
  let fleet: Fleet;
  let hello: Hello;
  let host: Host;

  before(async () => {
    fleet = await startFleet();
    host = fleet.server('h1');
    // The release and the agent's own state share one small disk.
    const mount = `mkdir -p ${SMALL} ${STATE} ${APP_PATH} && mount -t tmpfs -o size=160m,mode=755 small ${SMALL}`;
    const bind = [STATE, APP_PATH].map(
      (path) => `mkdir -p ${SMALL}${path} && mount --bind ${SMALL}${path} ${path}`,
    );
    await host.must(['sh', '-ec', [mount, ...bind].join(' && ')]);
    hello = await makeHello(fleet);
    await Promise.all(SERVERS.map((server) => installAgent(fleet, server, hello.allowing)));
    await fleet.apply(hello.configuration);
    await hello.commit('the one that is live');
    expect((await deploy(fleet)).shown.status).to.equal('succeeded');
  });

  after(() => (fleet as Fleet | undefined)?.stop());

  afterEach(() => free());

  for (const [phase, step] of STEPS) {
    it(`as ${phase} ${step} begins: it ends, what is live answers, and the next one succeeds`, async () => {
      const before = (await hello.answer(host)).commit;
      const commit = await hello.commit(`full at ${step}`);
      const id = await fleet.push(hello.repository, commit);
      const begins = (event: { event: string; phase?: string; step?: string; host?: string }) =>
        event.event === 'step_started' && event.phase === phase && event.step === step && event.host === 'h1';
      await atEvent(fleet, id, begins);
      await fill();
      const shown = await ended(fleet, id);
      // A tool that can write nothing cannot say what it applied either: then the record says so.
      const unread = shown.reason?.code === 'migration_not_undone';
      const ends = ['succeeded', 'failed', unread ? 'rollback_failed' : 'rolled_back'];
      expect(shown.status, JSON.stringify(shown.reason)).to.be.oneOf(ends);
      const live = shown.status === 'succeeded' ? commit : before;
      expect(await hello.answer(host)).to.deep.equal({ status: 'ok', commit: live });
      await free();
      await expectNextSucceeds();
    });
  }

  it('before it begins: the host refuses, with the reason, and nothing is touched', async () => {
    const before = (await hello.answer(host)).commit;
    await fill();
    await hello.commit('full before');
    const { code, shown } = await deploy(fleet);
    expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'failed', 'disk_full']);
    expect((await hello.answer(host)).commit).to.equal(before);
    await free();
    await expectNextSucceeds();
  });

  async function expectNextSucceeds(): Promise<void> {
    const commit = await hello.commit('after that');
    const { shown } = await deploy(fleet);
    expect(shown.status, JSON.stringify(shown.reason)).to.equal('succeeded');
    await until('the new release', async () => (await hello.answer(host)).commit === commit);
  }

  /** Not one block is left, and nothing more can be made. */
  async function fill(): Promise<void> {
    await host.exec(['sh', '-c', `cat /dev/zero >>${BALLAST} 2>/dev/null; sync`]);
  }

  async function free(): Promise<void> {
    await host.must(['rm', '-f', BALLAST]);
  }
});
