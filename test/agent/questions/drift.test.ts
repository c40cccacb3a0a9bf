import { expect } from 'chai';
import { mkdir, mkdtemp, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changedFiles } from '../../../agent/questions/changed-files.js';
import { questionGit } from '../../../agent/questions/host-ports.js';
import { inspectFraise } from '../../../agent/questions/inspect-fraise.js';
import { keptReleases } from '../../../agent/questions/kept-releases.js';
import { timersNow } from '../../../agent/questions/timers-now.js';
import { releaseFolder, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { Job } from '../../../proto/gen/fraisier/v1/plan.js';
import { aRepository } from '../steps/a-repository.js';
import { aHost, aPolicy, aSystemd, type TestHost } from '../steps/a-step-context.js';

const signal = new AbortController().signal;

describe('what a host keeps and how it differs', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-drift-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('files that were changed by hand since the release went live are told, and what belongs there is not', async () => {
    const { host, commit, tree } = await deployed({
      'app.js': 'one',
      'gone.js': 'two',
      'config/settings.json': '{}',
      'installed.lock': 'as it was',
      '.gitignore': 'ignored.log\n',
    });
    const { drift } = await inspect(host);
    expect(drift, 'nothing was changed yet').to.deep.equal([]);
    const before = new Date(Date.now() - 3_600_000);
    await writeFile(join(tree, 'installed.lock'), 'written by install');
    await utimes(join(tree, 'installed.lock'), before, before);
    await writeFile(join(tree, 'app.js'), 'changed by hand');
    await unlink(join(tree, 'gone.js'));
    await writeFile(join(tree, 'foreign.txt'), 'who put it here?');
    await writeFile(join(tree, 'ignored.log'), 'a log');
    await mkdir(join(tree, '__pycache__'));
    await writeFile(join(tree, '__pycache__', 'app.pyc'), '');
    await writeFile(join(tree, 'uploads', 'picture'), 'shared');
    await rm(join(tree, 'config'), { recursive: true });
    const seen = await inspect(host);
    expect(seen.changedFiles).to.have.deep.members([
      { path: 'app.js', change: 'M' },
      { path: 'gone.js', change: 'D' },
      { path: 'config/settings.json', change: 'D' },
      { path: 'foreign.txt', change: '?' },
    ]);
    expect(seen.drift[0]).to.match(
      /^4 files were changed in the live release: M app\.js, .*: put back what must not be/,
    );
    const later = new Date(Date.now() + 60_000);
    expect(
      await changedFiles(questionGit({ signal }), host, commit, later),
      'gone with its folder',
    ).to.deep.equal([{ path: 'config/settings.json', change: 'D' }]);
  });

  it('many changed files are bounded, and only some are named', async () => {
    const { host, tree } = await deployed({ 'a.txt': '' });
    // The time of a file is the kernel's coarse clock, which may lag the agent's by some milliseconds.
    const later = new Date(Date.now() + 1000);
    const makeFile = async (file: string) => {
      await writeFile(file, '');
      await utimes(file, later, later);
    };
    await Promise.all(Array.from({ length: 60 }, (_, at) => makeFile(join(tree, `new-${at}`))));
    const { changedFiles: all, drift } = await inspect(host);
    expect(all).to.have.length(50);
    expect(drift[0]).to.match(/^50 files were changed in the live release: .* and 45 more/);
    await Promise.all(Array.from({ length: 59 }, (_, at) => unlink(join(tree, `new-${at}`))));
    expect((await inspect(host)).drift[0]).to.match(/^a file was changed in the live release: \? new-59:/);
  });

  it('without the commit in the mirror, or without a repository, nothing is said of files', async () => {
    const { host, commit } = await deployed({ 'a.txt': '' });
    const git = questionGit({ signal });
    expect(await changedFiles(git, host, 'f'.repeat(40), new Date(0))).to.deep.equal([]);
    const bare = { ...host, target: { ...host.target, repository: '' } };
    expect(await changedFiles(git, bare, commit, new Date(0))).to.deep.equal([]);
  });

  it('kept releases are those that are staged whole, the newest first, each with what is known of it', async () => {
    const host = await aHost(folder);
    const [a, b, c] = ['a', 'b', 'c'].map((one) => one.repeat(40)) as [string, string, string];
    for (const commit of [a, b, c]) await mkdir(releaseFolder(host.target, commit), { recursive: true });
    const mark = (commit: string, stagedAt: string, good: string | null) =>
      writeReleaseMark(host.target, {
        commit,
        stagedAt,
        activatedAt: good,
        provenGoodAt: good,
        previous: null,
      });
    await mark(a, '2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z');
    await mark(b, '2026-01-02T00:00:00Z', null);
    expect(
      (await keptReleases(host.target)).map((one) => [
        one.commit,
        one.provenGood,
        one.activatedAt?.getTime(),
      ]),
    ).to.deep.equal([
      [b, false, undefined],
      [a, true, Date.parse('2026-01-01T01:00:00Z')],
    ]);
  });

  it('timers are told with their state and when they elapse, and one that is off is drift', async () => {
    const jobs = ['daily', 'weekly'].map((name) =>
      Job.fromPartial({ name, service: name, timer: `${name}.timer` }),
    );
    const systemd = aSystemd({
      'daily.timer': { ActiveState: 'active', NextElapseUSecRealtime: 'Mon 2026-11-23 00:53:00 UTC' },
      'weekly.timer': { ActiveState: 'inactive' },
    });
    expect(await timersNow(jobs, null)).to.deep.equal([]);
    expect(await timersNow([Job.fromPartial({ timer: 'gone.timer' })], systemd)).to.deep.equal([
      { timer: 'gone.timer', state: 'unknown', nextAt: undefined },
    ]);
    const host = await aHost(folder, { jobs });
    const seen = await inspectFraise(host.target, undefined, {
      stateFolder: host.stateFolder,
      signal,
      systemd,
    });
    expect(seen.timers).to.deep.equal([
      { timer: 'daily.timer', state: 'active', nextAt: new Date('2026-11-23T00:53:00Z') },
      { timer: 'weekly.timer', state: 'inactive', nextAt: undefined },
    ]);
    expect(seen.drift).to.deep.equal(['weekly.timer is inactive: fraisier deploy checkout production']);
  });

  function inspect({ target, stateFolder }: TestHost): ReturnType<typeof inspectFraise> {
    return inspectFraise(target, undefined, { stateFolder, signal, systemd: null });
  }

  /** Fetched, staged and activated for real. */
  async function deployed(
    files: Record<string, string>,
  ): Promise<{ host: TestHost; commit: string; tree: string }> {
    const origin = aRepository(folder);
    const commit = origin.commit(files);
    const home = join(folder, 'host');
    await mkdir(home);
    const policy = aPolicy(home, { repositories: ['*'] });
    const host = await aHost(home, { repository: origin.url, shared: ['uploads'] }, { policy });
    const actions = [
      { $case: 'fetch', value: { repository: origin.url, commit, attempts: 1 } },
      { $case: 'stage', value: { commit } },
      { $case: 'activate', value: { commit } },
    ] as const;
    for (const action of actions) {
      const end = await host.run(action);
      expect('reason' in end ? end.reason.message : '').to.equal('');
    }
    return { host, commit, tree: releaseFolder(host.target, commit) };
  }
});
