import { expect } from 'chai';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../support/cluster.js';
import { sampleFraise, sampleService } from '../support/sample-service.js';
import { until } from '../support/until.js';
import { ended, push, SECRET, steps, type Shown } from './deploying.js';
import { gatedService, type GatedService } from './gated-service.js';

interface Told extends Shown {
  readonly kind: string;
}

interface Causes {
  readonly causes: readonly { readonly message: string }[];
  readonly next: string;
}

interface StatusAnswer {
  readonly environments: readonly {
    readonly wanted_version: string;
    readonly lock: { readonly owner: string; readonly reason: string } | null;
    readonly hosts: readonly {
      readonly status: string;
      readonly live_version: string;
      readonly drift: readonly string[];
      readonly kept: readonly { readonly commit: string; readonly proven_good: boolean }[];
    }[];
  }[];
}

describe('going back', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let gated: GatedService;
  /** The good releases that were live, oldest first. */
  const good: string[] = [];
  let configuration: string;
  /** The database when it was live. */
  const databases = new Map<string, string>();

  const fraisier = (...args: string[]) => cluster.cli(args);
  const locks = async () => (await cluster.json<{ locks: { reason: string }[] }>(['locks'])).locks;
  const live = async () => (await gated.service.answer()).commit;
  const database = () => readFile(join(cluster.folder, 'gates', 'database'), 'utf8');
  const pushed = async (commit: string) =>
    ended(cluster, await push(cluster, gated.service.repository, commit));
  const count = async () =>
    (await cluster.json<{ deployments: unknown[] }>(['history', '--limit', '100'])).deployments.length;

  async function deployGood(message: string): Promise<string> {
    const commit = await gated.commit(message);
    expect((await pushed(commit)).status).to.equal('succeeded');
    await remember(commit);
    return commit;
  }

  async function remember(commit: string): Promise<void> {
    good.push(commit);
    databases.set(commit, await database());
  }

  /** The fraise is free, and so many good releases were live one after the other, the last of them now. */
  async function atLeast(releases: number): Promise<void> {
    if ((await locks()).length > 0) await cluster.must(['unlock', 'hello', 'production']);
    while (good.length < releases) await deployGood(`good ${good.length}`);
  }

  before(async () => {
    cluster = await startCluster({ onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } });
    gated = await gatedService(cluster, ['timeout: 60s', 'keep_releases: 10']);
    const fresh = sampleFraise(await sampleService(cluster.folder, cluster.apps, 'fresh'), 'fresh');
    configuration = `${gated.configuration.replace('attempts: 40', 'attempts: 5')}${fresh}`;
    await cluster.apply(configuration);
  });

  after(async () => {
    await gated.service.stop();
    await cluster.stop();
  });

  beforeEach(() => gated.reset());

  it('where nothing was ever good there is nothing to go back to, and the refusal says so and writes nothing', async () => {
    const before = await count();
    const { code, stderr } = await fraisier('rollback', 'fresh', 'production');
    expect(code, stderr).to.equal(4);
    expect(stderr).to.match(
      /no good release before the one that is live \(nothing\)[^]*next: fraisier history fresh production/,
    );
    expect(await count()).to.equal(before);
  });

  it('a push of what is live ends unchanged at once, and --force does it again', async () => {
    await atLeast(1);
    const commit = good.at(-1) as string;
    const shown = await pushed(commit);
    expect([shown.status, shown.reason?.code], JSON.stringify(shown)).to.deep.equal([
      'unchanged',
      'already_live',
    ]);
    expect(steps(shown).filter((one) => !one.includes('skipped'))).to.deep.equal([
      'prepare preflight succeeded 1',
    ]);
    const deploy = ['deploy', 'hello', 'production', '--commit', commit];
    expect((await fraisier(...deploy)).code).to.equal(0);
    const forced = await cluster.json<Told>([...deploy, '--force']);
    expect(forced.status).to.equal('succeeded');
    expect(steps(forced)).to.include('release restart succeeded 1');
  });

  it('a file that was changed by hand in the live release is drift, until it is put back', async () => {
    await atLeast(1);
    const host = async () =>
      (await cluster.json<StatusAnswer>(['status', 'hello', 'production'])).environments[0]?.hosts[0];
    const file = join(gated.service.appPath, 'current', 'server.mjs');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}// by hand\n`);
    const drifted = await host();
    expect(drifted?.status).to.equal('drifted');
    expect(drifted?.drift[0]).to.contain('a file was changed in the live release: M server.mjs');
    await writeFile(file, text);
    expect(await host()).to.deep.include({ status: 'live', drift: [] });
  });

  it('a dry run shows what would be gone back to and what the database goes down by, and changes nothing', async () => {
    await atLeast(3);
    const before = await count();
    const target = good.at(-3) as string;
    const stdout = await cluster.must(['rollback', 'hello', 'production', '--to', target, '--dry-run']);
    const since = (await database()).slice(databases.get(target)?.length).trim().split('\n');
    expect(stdout).to.contain(`the database goes down, on web-1: ${since.toReversed().join(', ')}`);
    expect(stdout).to.contain('the release is already staged');
    expect([await count(), await live(), (await locks()).length]).to.deep.equal([before, good.at(-1), 0]);
  });

  it('goes back two deployments by request, without the git host: code, then database by exactly what was applied, and a lock is left', async () => {
    await atLeast(3);
    await gated.reset();
    const [target, , from] = good.slice(-3) as [string, string, string];
    const away = `${gated.service.repository}.away`;
    await rename(gated.service.repository, away);
    const told = await cluster.json<Told>(['rollback', 'hello', 'production', '--to', target]);
    await rename(away, gated.service.repository);
    expect(await gated.begun('install'), 'nothing is installed again').to.equal(0);
    expect([told.status, told.kind, told.commit], JSON.stringify(told.reason)).to.deep.equal([
      'succeeded',
      'rollback',
      target,
    ]);
    good.splice(-2);
    expect([await live(), await database()]).to.deep.equal([target, databases.get(target)]);
    const order = steps(told).map((step) => step.split(' ')[0]);
    expect([...new Set(order)]).to.deep.equal(['prepare', 'release', 'migrate_down', 'prune']);
    expect((await locks())[0]?.reason).to.contain(`rolled back from ${from.slice(0, 12)}`);
    const { environments } = await cluster.json<StatusAnswer>(['status', 'hello', 'production']);
    const [now] = environments;
    expect([now?.wanted_version, now?.hosts[0]?.status, now?.lock?.owner]).to.deep.equal([
      target,
      'live',
      'local',
    ]);
    expect(now?.hosts[0]?.kept.map(({ commit }) => commit)).to.include(target);
  });

  it('while it is locked a deploy is refused, a push waits with the reason, and unlock starts it', async () => {
    await atLeast(1);
    await cluster.must(['lock', 'hello', 'production', '-m', 'a freeze']);
    const before = await count();
    const refused = await fraisier('deploy', 'hello', 'production');
    expect(refused.code, refused.stderr).to.equal(4);
    expect(refused.stderr).to.match(
      /locked by local until it is unlocked: a freeze[^]*next: fraisier unlock hello production/,
    );
    expect(await count()).to.equal(before);
    const commit = await gated.commit('after the freeze');
    const id = await push(cluster, gated.service.repository, commit);
    const waits = async () => (await cluster.json<Shown>(['show', id])).reason?.code === 'locked';
    await until('the push to wait for the lock', waits);
    expect(await live()).to.equal(good.at(-1));
    await cluster.must(['unlock', 'hello', 'production']);
    expect((await ended(cluster, id)).status).to.equal('succeeded');
    expect(await live()).to.equal(commit);
    await remember(commit);
    const again = await fraisier('unlock', 'hello', 'production');
    expect([again.code, again.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code === 2 && /not locked/.test(text),
    );
  });

  it('a lock with an end ends by itself, and what waits for it starts', async () => {
    await atLeast(1);
    await cluster.must(['lock', 'hello', 'production', '-m', 'a short freeze', '--for', '6s']);
    const commit = await gated.commit('waits for the end of the lock');
    const id = await push(cluster, gated.service.repository, commit);
    const waits = async () => (await cluster.json<Shown>(['show', id])).reason;
    const why = await until('the push to wait', async () => {
      const reason = await waits();
      return reason?.code === 'locked' ? reason : null;
    });
    expect(why.message).to.contain('a short freeze');
    expect((await ended(cluster, id)).status).to.equal('succeeded');
    await remember(commit);
  });

  it('five failing deployments in a row leave the last good release usable as a target (row 9)', async () => {
    await atLeast(2);
    const current = good.at(-1);
    let last = '';
    for (let time = 1; time <= 4; time += 1) {
      const shown = await pushed(await gated.commit(`broken ${time}`, false));
      expect(shown.status).to.equal('rolled_back');
      last = shown.id;
    }
    const { code, stdout } = await fraisier('retry', last, '--json');
    const again = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Told;
    expect([code, again.kind, again.status]).to.deep.equal([1, 'retry', 'rolled_back']);
    expect(await live()).to.equal(current);
    const told = await cluster.json<Told>(['rollback', 'hello', 'production']);
    expect([told.status, told.commit], JSON.stringify(told.reason)).to.deep.equal(['succeeded', good.at(-2)]);
    expect(await live()).to.equal(good.at(-2));
    expect(await database()).to.equal(databases.get(good.at(-2) as string));
    await cluster.must(['unlock', 'hello', 'production']);
    good.pop();
  });

  it('a running deployment is undone, which is its own rollback, and the fraise is locked', async () => {
    await atLeast(1);
    await gated.close('restart');
    const id = await push(cluster, gated.service.repository, await gated.commit('never gets there'));
    await gated.entered('restart');
    const { next, causes } = await cluster.json<Causes>(['why', 'hello', 'production']);
    expect(causes.at(-1)?.message).to.match(/^web-1 is in the step restart of release since /);
    expect(next).to.equal(`fraisier logs ${id} --host web-1`);
    const going = cluster.json<Told>(['rollback', 'hello', 'production']);
    await until('the lock to be there', async () => (await locks()).length === 1);
    await gated.open('restart');
    const told = await going;
    expect([told.id, told.kind, told.status], JSON.stringify(told.reason)).to.deep.equal([
      id,
      'deploy',
      'rolled_back',
    ]);
    expect(await live()).to.equal(good.at(-1));
    expect((await locks())[0]?.reason).to.equal(`${id} was rolled back`);
    await cluster.must(['unlock', 'hello', 'production']);
  });

  it('is refused when the database cannot go back, naming what is in the way, and leaves it alone when told to', async () => {
    await atLeast(1);
    const commit = await deployGood('the last one');
    const applied = await database();
    await cluster.apply(
      configuration
        .replace(', down: [sh, migrate.sh, down]', '')
        .replace('timeout: 60s }', 'timeout: 60s, allow_irreversible: true }'),
    );
    const { code, stderr } = await fraisier('rollback', 'hello', 'production');
    expect([code, await live()], stderr).to.deep.equal([4, commit]);
    expect(stderr).to.match(/the database of hello production cannot go back: .*no way down[^]*--code-only/);
    const told = await cluster.json<Told>(['rollback', 'hello', 'production', '--code-only']);
    expect([told.status, await live()], JSON.stringify(told.reason)).to.deep.equal([
      'succeeded',
      good.at(-2),
    ]);
    expect(await database()).to.equal(applied);
    good.pop();
    await cluster.apply(configuration);
  });
});
