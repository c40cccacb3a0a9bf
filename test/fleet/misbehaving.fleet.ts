import { readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { AgentUnit } from './agent-unit.js';
import { ended, follow, type Deployed, type Shown } from './deploying.js';
import { type Fleet } from './fleet.js';
import type { Repository } from './kinds.js';
import type { Host } from './lab/host.js';
import { LEFTOVER, PLACES, startMisbehaving, type Place } from './misbehaving.js';

/** One way to misbehave, and what is said of a command that does; null: it did what it should. */
interface Way {
  readonly title: string;
  readonly script: string;
  readonly said: { readonly code: string; readonly message: RegExp } | null;
  /** What `fraisier logs` has of it, on each stream. */
  readonly log?: { readonly holds: (text: string) => boolean; readonly stderr: RegExp };
  /** Nobody knows how far a migration came: the deployment pauses rather than guess. */
  readonly unknown?: true;
}

const WAYS: readonly Way[] = [
  {
    title: 'ignores SIGTERM',
    script: `trap '' TERM\nwhile :; do ${LEFTOVER}; done\n`,
    said: { code: 'timed_out', message: /took longer than its limit of 8 s and was stopped$/ },
    unknown: true,
  },
  { title: 'leaves a child that keeps its output open', script: `${LEFTOVER} &\necho left\n`, said: null },
  {
    title: 'forks away',
    script: `setsid sh -c 'exec ${LEFTOVER}' >/dev/null 2>&1 &\nsleep 0.2\n`,
    said: null,
  },
  {
    title: 'prints 200 MB',
    script: 'yes | head -c 200000000\n',
    said: null,
    log: {
      holds: ({ length }) => length > 4e6 && length < 5e6,
      stderr: /the rest of this output was not kept/,
    },
  },
  {
    title: 'prints binary',
    script: `printf '\\000\\377\\376\\200\\001'\n`,
    said: null,
    log: { holds: (text) => text.includes('\0\uFFFD\uFFFD\uFFFD\u0001'), stderr: /^/ },
  },
  {
    title: 'exits with 255',
    script: 'echo "no more"\nexit 255\n',
    said: { code: 'command_failed', message: /exited with status 255: no more$/ },
  },
  {
    title: 'dies by a signal',
    script: 'kill -SEGV $$\nsleep 9\n',
    said: { code: 'command_failed', message: /was ended by SIGSEGV$/ },
    unknown: true,
  },
];

/** How it ends where it fails: before anything live was touched, or after; with the code of the command, or that of the place. */
const ENDS: Readonly<Record<Place, { readonly status: string; readonly code: (said: string) => string }>> = {
  installs: { status: 'failed', code: (said) => said },
  migrates: { status: 'rolled_back', code: () => 'migration_failed' },
  loads: { status: 'rolled_back', code: (said) => said },
  plans: {
    status: 'rolled_back',
    code: (said) => (said === 'command_failed' ? 'hook_failed' : said),
  },
};

describe('children that misbehave, on a real systemd host', function () {
  this.timeout(120_000);
  let fleet: Fleet;
  let code: Repository;
  let h1: Host;

  before(async function () {
    this.timeout(180_000);
    ({ fleet, code } = await startMisbehaving());
    h1 = fleet.server('h1');
    for (const end of await deployAll()) expectEnd(end, 'succeeded');
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  // So that one that paused and should not have does not keep the next one waiting.
  afterEach(async () => {
    const { deployments } = await fleet.json<{ deployments: { id: string; status: string }[] }>(['history']);
    for (const { id } of deployments.filter(({ status }) => status === 'paused'))
      await fleet.cli(['cancel', id]);
  });

  for (const way of WAYS) {
    it(`row 7: one that ${way.title} ends as the contract says, in the install, the migration, the script and the hook`, async () => {
      const before = await Promise.all(PLACES.map(({ fraise }) => live(fraise)));
      const commit = await code.commit({ 'way.sh': way.script });
      const ends = await deployAll();
      for (const [at, { fraise, what }] of PLACES.entries()) {
        const end = ends[at] as Deployed;
        await expectAsContracted(way, fraise, end, what);
        expect(await live(fraise), what).to.equal(way.said === null ? commit : before[at]);
      }
      if (way.log !== undefined) await expectLog((ends[0] as Deployed).shown.id, way.log);
      await expectNothingLeft();
    });
  }

  it('row 9: five failed deployments in a row leave the last good release live, and the one before to go back to', async () => {
    const good: Record<string, string[]> = { installs: [], loads: [] };
    for (const n of [1, 2]) {
      await code.commit({ 'way.sh': ':\n', 'good.txt': `${n}` });
      for (const end of await Promise.all([deploy('installs'), deploy('loads')])) expectEnd(end, 'succeeded');
      for (const fraise of ['installs', 'loads'] as const) good[fraise]?.push(await live(fraise));
    }
    for (const n of [1, 2, 3, 4, 5]) {
      const bad = { 'way.sh': '[ "$FRAISIER_FRAISE" != loads ]\n', 'serve.sh': 'echo "no good"\nexit 1\n' };
      await code.commit({ ...bad, 'bad.txt': `${n}` });
      const [installs, loads] = await Promise.all([deploy('installs'), deploy('loads')]);
      for (const end of [installs, loads]) expectEnd(end, 'rolled_back');
      expect([installs.shown.reason?.code, loads.shown.reason?.code]).to.deep.equal([
        'restart_failed',
        'command_failed',
      ]);
    }
    for (const fraise of ['installs', 'loads'] as const) {
      const [before = '', last] = good[fraise] ?? [];
      expect(await live(fraise)).to.equal(last);
      expect(await readdir(join(h1.root, 'srv', fraise, 'releases'))).to.include.members([before, last]);
      expectEnd(await follow(fleet, ['rollback', fraise, 'production']), 'succeeded');
      expect(await live(fraise)).to.equal(before);
    }
  });

  function deploy(fraise: Place): Promise<Deployed> {
    return follow(fleet, ['deploy', fraise, 'production']);
  }

  function deployAll(): Promise<readonly Deployed[]> {
    return Promise.all(PLACES.map(({ fraise }) => deploy(fraise)));
  }

  function expectEnd({ shown, stderr }: { shown: Shown; stderr?: string }, status: string): void {
    expect(shown.status, `${JSON.stringify(shown.reason)} ${stderr}`).to.equal(status);
  }

  async function expectAsContracted(
    { said, unknown }: Way,
    fraise: Place,
    end: Deployed,
    what: string,
  ): Promise<void> {
    if (said === null) return expectEnd(end, 'succeeded');
    if (fraise === 'migrates' && unknown) {
      expect([end.shown.status, end.shown.reason?.code], what).to.deep.equal(['paused', 'outcome_unknown']);
      await fleet.must(['cancel', end.shown.id]);
      expectEnd({ shown: await ended(fleet, end.shown.id) }, 'rolled_back');
      return;
    }
    const { status, code: codeOf } = ENDS[fraise];
    expectEnd(end, status);
    expect(end.shown.reason?.code, what).to.equal(codeOf(said.code));
    expect(end.shown.reason?.message, what).to.match(said.message);
  }

  async function expectLog(id: string, { holds, stderr }: NonNullable<Way['log']>): Promise<void> {
    const said = await fleet.cli(['logs', id, '--step', 'install']);
    const what = `${said.stdout.length} characters: ${JSON.stringify(said.stdout.slice(0, 100))}`;
    expect(holds(said.stdout), what).to.equal(true);
    expect(said.stderr).to.match(stderr);
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await new AgentUnit(h1).transientUnits()).to.deep.equal([]);
    expect((await h1.must(['systemctl', 'is-active', 'plans.timer'])).trim()).to.equal('active');
    expect((await h1.exec(['pgrep', '--full', LEFTOVER])).stdout, 'processes left').to.equal('');
    const kept = await h1.must(['du', '--summarize', '--block-size=1M', '/var/lib/fraisier/agent']);
    expect(Number.parseInt(kept, 10), 'MiB kept by the agent').to.be.below(20);
  }

  const live = async (fraise: Place) => basename(await readlink(join(h1.root, 'srv', fraise, 'current')));
});
