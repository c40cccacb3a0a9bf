import { expect } from 'chai';
import { until } from '../support/until.js';
import { installAgent } from './agent-unit.js';
import { BATCH, makeBatch, type BatchName, type Stop } from './batch.js';
import { atEvent, ended, follow, steps, type Shown } from './deploying.js';
import { SERVERS, startFleet, type Fleet } from './fleet.js';
import { Gates } from './gates.js';
import { KINDS, STEPS, WHAT, type Kind } from './steps-of-kinds.js';
import { APP_PATH, makeHello } from './hello.js';
import type { Host } from './lab/host.js';

const STATE = '/var/lib/fraisier/agent';
const UNITS = '/etc/systemd/system';
const SMALL = '/srv/small';
const BALLAST = `${SMALL}/ballast`;

/** What is deployed, and how to see what of it is live. */
interface Sample {
  readonly repository: string;
  readonly gates: Gates<Stop>;
  commit(message: string): Promise<string>;
  /** That exactly this is live, and answers. */
  expectLive(commit: string): Promise<void>;
}

describe('a disk that is full, on a real systemd host (row 9)', function () {
  this.timeout(120_000);
  let fleet: Fleet;
  let host: Host;
  let samples: Readonly<Record<Kind, Sample>>;

  before(async () => {
    fleet = await startFleet();
    host = fleet.server('h1');
    const hello = await makeHello(fleet);
    const batch = await makeBatch(fleet);
    await makeSmall([STATE, APP_PATH, ...BATCH.map((name) => `/srv/${name}`), UNITS]);
    const allowing = [...hello.allowing, ...batch.allowing];
    await Promise.all(SERVERS.map((server) => installAgent(fleet, server, allowing)));
    await fleet.apply(`${hello.configuration}${batch.configuration(['h1'])}`);
    const ofBatch = (name: BatchName): Sample => ({
      repository: batch.repository(name),
      gates: batch.gates(name, host),
      commit: () => batch.commit(name),
      expectLive: (commit) => batch.expectLive(name, host, commit),
    });
    samples = {
      hello: {
        repository: hello.repository,
        gates: new Gates<Stop>(host),
        commit: (message) => hello.commit(message),
        async expectLive(commit) {
          expect(await hello.answer(host)).to.deep.equal({ status: 'ok', commit });
        },
      },
      loader: ofBatch('loader'),
      reports: ofBatch('reports'),
    };
  });

  after(() => (fleet as Fleet | undefined)?.stop());

  afterEach(() => free());

  for (const kind of KINDS) {
    describe(`in a deployment of ${WHAT[kind]}`, () => {
      let sample: Sample;
      let live: string;

      before(async () => {
        sample = samples[kind];
        const shown = await expectSucceeds('the one that is live');
        const all = steps(shown, 'h1').map((step) => step.split(' ').slice(0, 2).join(' '));
        const known = STEPS[kind].map(([phase, step]) => `${phase} ${step}`);
        expect(
          all.filter((step) => !/ migration_/.test(step)),
          'every step',
        ).to.have.members(known);
      });

      afterEach(() => sample.gates.reset());

      for (const [phase, step, gate] of STEPS[kind]) {
        it(`as ${phase} ${step} begins: it ends, what is live answers, and the next one succeeds`, async () => {
          if (gate !== undefined) await sample.gates.close(gate);
          const commit = await sample.commit(`full at ${step}`);
          const id = await fleet.push(sample.repository, commit);
          if (gate === undefined) await begins(id, phase, step);
          else await sample.gates.entered(gate);
          await fill();
          if (gate !== undefined) await sample.gates.open(gate);
          const shown = await ended(fleet, id);
          // A tool that can write nothing cannot say what it applied either: then the record says so.
          const unread = shown.reason?.code === 'migration_not_undone';
          const ends = ['succeeded', 'failed', unread ? 'rollback_failed' : 'rolled_back'];
          expect(shown.status, JSON.stringify(shown.reason)).to.be.oneOf(ends);
          if (shown.status === 'succeeded') live = commit;
          await sample.expectLive(live);
          await free();
          await expectSucceeds('after that');
        });
      }

      it('before it begins: the host refuses, with the reason, and nothing is touched', async () => {
        await fill();
        await sample.commit('full before');
        const { code, shown } = await follow(fleet, ['deploy', kind, 'production']);
        expect([code, shown.status, shown.reason?.code]).to.deep.equal([1, 'failed', 'disk_full']);
        await sample.expectLive(live);
        await free();
        await expectSucceeds('after that');
      });

      async function expectSucceeds(message: string): Promise<Shown> {
        live = await sample.commit(message);
        const { shown } = await follow(fleet, ['deploy', kind, 'production']);
        expect(shown.status, JSON.stringify(shown.reason)).to.equal('succeeded');
        await until('the new release', () => sample.expectLive(live).then(() => true));
        return shown;
      }
    });
  }

  /** These folders of the host are on one small disk together, the agent's own state among them. */
  async function makeSmall(folders: readonly string[]): Promise<void> {
    const mount = `mkdir -p ${SMALL} && mount -t tmpfs -o size=160m,mode=755 small ${SMALL}`;
    const binds = folders.map(
      (path) =>
        `mkdir -p ${path} ${SMALL}${path} && cp -a ${path}/. ${SMALL}${path}/ && mount --bind ${SMALL}${path} ${path}`,
    );
    await host.must(['sh', '-ec', [mount, ...binds].join(' && ')]);
  }

  /** Until a step has begun on the host; it may be over before that is heard. */
  function begins(id: string, phase: string, step: string): Promise<void> {
    return atEvent(
      fleet,
      id,
      (event) =>
        event.event === 'step_started' &&
        event.phase === phase &&
        event.step === step &&
        event.host === host.name,
    );
  }

  /** Not one block is left, and nothing more can be made. */
  async function fill(): Promise<void> {
    await host.exec(['sh', '-c', `cat /dev/zero >>${BALLAST} 2>/dev/null; sync`]);
  }

  async function free(): Promise<void> {
    await host.must(['rm', '-f', BALLAST]);
  }
});
