import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ended, follow, type Shown } from './deploying.js';
import { KINDS, startEachKind, URL, type EachKind, type Kind } from './each-kind.js';
import type { Host } from './lab/host.js';

const NO_COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

/** What a person reads, word by word: a change here is one they see. */
describe('an expected failure of each kind, on a real systemd host with a git daemon (row 14)', function () {
  this.timeout(90_000);
  let scene: EachKind;
  let h1: Host;

  before(async function () {
    this.timeout(180_000);
    scene = await startEachKind();
    h1 = scene.fleet.server('h1');
    await scene.commit();
    expectAll(await deployAll(), 'succeeded', null);
  });

  // Not there when it could not be started.
  after(() => (scene as EachKind | undefined)?.stop());

  it('row 14: a wrong unit is named before anything is moved', async () => {
    await scene.apply({ unit: 'gone' });
    await scene.commit();
    const shown = await untouched(deployAll);
    await scene.apply();
    expectAll(shown, 'failed', 'unknown_unit');
    for (const kind of KINDS) {
      const unit = kind === 'reports' ? 'gone.timer' : 'gone.service';
      expectSaid(
        shown,
        kind,
        `prepare on h1: there is no unit ${unit} on this host (systemd says not-found)`,
      );
    }
  });

  it('row 14: a dirty tree is refused with its files', async () => {
    await scene.commit();
    for (const kind of KINDS) await writeFile(join(h1.root, 'srv', kind, 'run.sh'), 'mine\n');
    const shown = await untouched(deployAll);
    for (const kind of KINDS) await git(kind, 'checkout', '--quiet', '--', 'run.sh');
    expectAll(shown, 'failed', 'dirty_tree');
    for (const kind of KINDS)
      expectSaid(
        shown,
        kind,
        `prepare on h1: the checkout /srv/${kind} has changes that are not committed: run.sh`,
      );
  });

  it('row 14: a missing commit is not deployed', async () => {
    for (const kind of KINDS) {
      const deploy = ['deploy', kind, 'production', '--commit', NO_COMMIT];
      const { code, stderr } = await scene.fleet.cli(deploy);
      const message = `the commit ${NO_COMMIT} is on no branch or tag of ${scene.url}; was the branch force-pushed or deleted?`;
      expect([code, stderr]).to.deep.equal([2, `error: ${message}\nnext: deploy a commit that is there\n`]);
    }
  });

  it('row 14: a branch that was force-pushed meanwhile no longer has the commit', async () => {
    const gone = await scene.forcePushed();
    const shown = await untouched(() => pushed(gone));
    expectAll(shown, 'failed', 'commit_not_found');
    for (const kind of KINDS)
      expectSaid(
        shown,
        kind,
        `prepare on h1: the commit ${gone} is on no branch or tag of ${scene.url} (it was seen on main); was the branch force-pushed or deleted?`,
      );
  });

  it('row 14: a clone that the server refuses', async () => {
    const commit = await scene.commit();
    await scene.serve(false);
    const shown = await untouched(() => pushed(commit));
    await scene.serve(true);
    expectAll(shown, 'failed', 'fetch_failed');
    for (const kind of KINDS)
      expectSaid(
        shown,
        kind,
        `prepare on h1: git could not fetch from ${scene.url}: fatal: remote error: access denied or repository not exported: /all.git`,
      );
  });

  it('row 14: health that is never green ends with what was live', async () => {
    const red = { 'status.json': '{"status": 500}\n', 'healthy.sh': 'echo "not today"\nexit 1\n' };
    const commit = await scene.commit(red);
    const shown = await untouched(deployAll);
    expectAll(shown, 'rolled_back', 'health_check_failed');
    const never = (check: string, answer: string): string =>
      `release on h1: the health check ${check} did not turn green in 4 attempts; the last answer: ${answer}`;
    expectSaid(shown, 'site', never(URL, `500 {"commit":"${commit}"} (wanted 200)`));
    const said = 'exited with 1: not today';
    expectSaid(shown, 'loader', never('command sh healthy.sh', said));
    const jobs = 'timers: reports.timer is active, reports.service ended well';
    expectSaid(shown, 'reports', never('command sh healthy.sh', `command sh healthy.sh: ${said}; ${jobs}`));
  });

  it('row 14: a wrong version that is served ends with what was live; the other two serve none', async () => {
    const commit = await scene.commit({ 'status.json': `{"status": 200, "served": "${NO_COMMIT}"}\n` });
    const shown = await untouched(async () => new Map([['site', await deploy('site')] as const]));
    expect([shown.get('site')?.status, shown.get('site')?.reason?.code]).to.deep.equal([
      'rolled_back',
      'wrong_version',
    ]);
    expectSaid(
      shown,
      'site',
      `release on h1: the health check ${URL} did not turn green in 4 attempts; the last answer: it serves version ${NO_COMMIT}, not ${commit}`,
    );
  });

  type Ends = ReadonlyMap<Kind, Shown>;

  /** Whatever happens, every checkout ends at the commit it had, with nothing changed by us, and the site answers. */
  async function untouched(act: () => Promise<Ends>): Promise<Ends> {
    const heads = () => Promise.all(KINDS.map((kind) => git(kind, 'rev-parse', 'HEAD')));
    const before = await heads();
    const ends = await act();
    expect(await heads()).to.deep.equal(before);
    expect(await answer()).to.deep.equal({ commit: before[0] });
    return ends;
  }

  async function deploy(kind: Kind): Promise<Shown> {
    return (await follow(scene.fleet, ['deploy', kind, 'production'])).shown;
  }

  async function deployAll(): Promise<Ends> {
    return new Map(await Promise.all(KINDS.map(async (kind) => [kind, await deploy(kind)] as const)));
  }

  async function pushed(commit: string): Promise<Ends> {
    const ids = await scene.fleet.pushToAll(scene.url, commit);
    const shown = await Promise.all(ids.map((id) => ended(scene.fleet, id)));
    return new Map(shown.map((one) => [(one as Shown & { fraise: Kind }).fraise, one]));
  }

  function expectAll(ends: Ends, status: string, code: string | null): void {
    const found = KINDS.map((kind) => [ends.get(kind)?.status, ends.get(kind)?.reason?.code ?? null]);
    const said = KINDS.map((kind) => ends.get(kind)?.reason?.message).join('\n');
    expect(found, said).to.deep.equal(KINDS.map(() => [status, code]));
  }

  function expectSaid(ends: Ends, kind: Kind, message: string): void {
    expect(ends.get(kind)?.reason?.message, kind).to.equal(message);
  }

  const git = async (kind: Kind, ...args: readonly string[]) =>
    (await h1.must(['runuser', '-u', 'deploy', '--', 'git', '-C', `/srv/${kind}`, ...args])).trim();
  const answer = async () =>
    JSON.parse(await h1.must(['curl', '--silent', '--max-time', '5', URL])) as unknown;
});
