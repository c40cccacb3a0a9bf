import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { findUser, ownUser } from '../../../agent/exec/users.js';
import { noteCheckout, readBrokenOff } from '../../../agent/steps/broken-checkout.js';
import { headOf, originOf } from '../../../agent/steps/checkout.js';
import { changedIn, inTheWay } from '../../../agent/steps/dirty-tree.js';
import { clearIndexLock } from '../../../agent/steps/index-lock.js';
import { liveCommit, placeOf } from '../../../agent/steps/place.js';
import { isProvenGood, readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import type { CommandEnd, StepContext } from '../../../agent/steps/step.js';
import { reason } from '../../../proto/error-codes.js';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import { until } from '../../support/until.js';
import { withFolder } from '../exec/a-spec.js';
import { activateOf, fetchOf, PREFLIGHT, reasonOf, stageOf, withCheckout } from './a-checkout.js';
import type { Scene } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import { aHost, aPolicy } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

const stopped: CommandEnd = { ended: 'stopped', reason: reason('cancelled', 'enough') };

const treeAt = ({ host }: Scene, commit: string, path = ''): string =>
  join(placeOf(host).appPath, 'releases', commit, path);

const commandOf = (commit: string) =>
  ({ $case: 'command', value: { argv: ['sh', '-c', 'pwd >&2; touch ran'], commit } }) as const;

async function deployed(scene: Scene, files: Record<string, string | null>): Promise<string> {
  const commit = scene.origin.commit(files);
  await scene.prepare(commit);
  expect(reasonOf(await scene.activate(commit))).to.equal('');
  return commit;
}

describe('a checkout deployed in place', () => {
  it('is brought to exactly the commit, detached; its branches and what was there before stay', () =>
    withCheckout(async (scene) => {
      const { git, origin, app, host } = scene;
      const before = git('rev-parse', 'HEAD');
      await writeFile(join(app, 'own'), 'not tracked');
      const commit = await deployed(scene, { a: '2', b: 'new' });
      expect(git('rev-parse', 'HEAD')).to.equal(commit);
      expect(() => git('symbolic-ref', 'HEAD')).to.throw();
      expect(git('rev-parse', 'main')).to.equal(before);
      expect(git('rev-parse', `refs/fraisier/before/${before}`)).to.equal(before);
      expect(await readFile(join(app, 'a'), 'utf8')).to.equal('2');
      expect(await readFile(join(app, 'own'), 'utf8')).to.equal('not tracked');
      expect(await liveCommit(host)).to.equal(commit);
      expect(await readReleaseMark(placeOf(host), commit)).to.include({
        previous: before,
        provenGoodAt: null,
      });
      // A second one needs only what is new, and knows the first as the one before it.
      const next = origin.commit({ a: '3' });
      await scene.prepare(next);
      expect(reasonOf(await scene.activate(next))).to.equal('');
      expect(git('status', '--porcelain', '--untracked-files=no')).to.equal('');
      expect(await scene.activate(next)).to.have.nested.property('result.summary', 'live already');
    }));

  it('is looked at first: its commit is the release to go back to', () =>
    withCheckout(async (scene) => {
      const head = scene.git('rev-parse', 'HEAD');
      expect(await scene.host.run(PREFLIGHT))
        .to.have.property('result')
        .that.includes({ previousRelease: head, previousProvenGood: false });
    }));

  it('is left alone until it is activated: what is prepared lies in the state folder', () =>
    withCheckout(async (scene) => {
      const { host, origin, app, git } = scene;
      const before = git('rev-parse', 'HEAD');
      const commit = origin.commit({ a: '2' });
      await scene.prepare(commit);
      expect(await readFile(treeAt(scene, commit, 'a'), 'utf8')).to.equal('2');
      expect(reasonOf(await host.run(commandOf(commit)))).to.equal('');
      expect(existsSync(treeAt(scene, commit, 'ran'))).to.equal(true);
      for (const phase of [Phase.MIGRATE, Phase.MIGRATE_DOWN]) {
        await rm(treeAt(scene, commit, 'ran'));
        expect(reasonOf(await host.run(commandOf(commit), { phase }))).to.equal('');
        expect(existsSync(treeAt(scene, commit, 'ran'))).to.equal(true);
      }
      expect([git('rev-parse', 'HEAD'), existsSync(join(app, 'ran'))]).to.deep.equal([before, false]);
      expect(await liveCommit(host)).to.equal(before);
      for (const phase of [Phase.RELEASE, Phase.UNDO]) {
        expect(reasonOf(await host.run(commandOf(commit), { phase }))).to.equal('');
        expect(existsSync(join(app, 'ran'))).to.equal(true);
        await rm(join(app, 'ran'));
      }
    }));

  it('is proven good by its health check, and remembers it when it comes back', () =>
    withCheckout(async (scene) => {
      const { host } = scene;
      const first = await deployed(scene, { a: '2' });
      const mark = await readReleaseMark(placeOf(host), first);
      await writeReleaseMark(placeOf(host), { ...mark!, provenGoodAt: '2026-01-01T00:00:00.000Z' });
      await deployed(scene, { a: '3' });
      expect(reasonOf(await scene.activate(first, { phase: Phase.UNDO }))).to.equal('');
      expect(await isProvenGood(placeOf(host), first)).to.equal(true);
      expect(await host.run(PREFLIGHT))
        .to.have.property('result')
        .that.includes({ previousRelease: first, previousProvenGood: true });
      // Staged once more after its tree was cleared away by hand: what was known of it stays.
      await rm(treeAt(scene, first), { recursive: true });
      expect(reasonOf(await host.run(stageOf(first)))).to.equal('');
      expect(await isProvenGood(placeOf(host), first)).to.equal(true);
    }));

  it('goes back to a commit that Fraisier never staged, whatever the failed release left in the tree', () =>
    withCheckout(async (scene) => {
      const { git, app, host } = scene;
      const before = git('rev-parse', 'HEAD');
      const failed = await deployed(scene, { a: '2', b: '2' });
      await writeFile(join(app, 'a'), 'changed by the failed release');
      expect(reasonOf(await scene.activate(before, { phase: Phase.UNDO }))).to.equal('');
      expect([
        git('rev-parse', 'HEAD'),
        await readFile(join(app, 'a'), 'utf8'),
        existsSync(join(app, 'b')),
      ]).to.deep.equal([before, '1', false]);
      expect(git('show', 'refs/fraisier/left/r_1-1:a')).to.equal('changed by the failed release');
      expect(host.log).to.include('what was changed in the tree is kept as refs/fraisier/left/r_1-1');
      expect(git('rev-parse', `refs/fraisier/before/${failed}`)).to.equal(failed);
    }));

  it('goes back also from half a merge, which git cannot keep', () =>
    withCheckout(async (scene) => {
      const { git, app } = scene;
      const before = git('rev-parse', 'HEAD');
      await deployed(scene, { a: '2' });
      git('checkout', '--quiet', '-b', 'other', before);
      await writeFile(join(app, 'a'), 'other');
      git('commit', '--quiet', '--all', '-m', 'other');
      expect(() => git('merge', scene.origin.git('rev-parse', 'HEAD'))).to.throw();
      expect(reasonOf(await scene.activate(before, { phase: Phase.UNDO }))).to.equal('');
      expect([git('rev-parse', 'HEAD'), git('status', '--porcelain')]).to.deep.equal([before, '']);
    }));

  it('is only recorded where somebody checked the commit out, and put right where nothing is', () =>
    withCheckout(async (scene) => {
      const { git, host } = scene;
      const commit = scene.origin.commit({ a: '2' });
      await scene.prepare(commit);
      git('checkout', '--quiet', '--detach', commit);
      expect(await scene.activate(commit)).to.have.nested.property('result.summary', 'checked out');
      expect(await readReleaseMark(placeOf(host), commit)).to.include({ previous: null });
      git('symbolic-ref', 'HEAD', 'refs/heads/unborn');
      expect(await scene.activate(commit, { phase: Phase.UNDO })).to.have.nested.property(
        'result.summary',
        'checked out',
      );
      expect(git('rev-parse', 'HEAD')).to.equal(commit);
    }));

  it('takes a commit of its own repository, and one of a history of its own', () =>
    withCheckout(async (scene) => {
      const { git, app, host, origin } = scene;
      git('checkout', '--quiet', '-b', 'local');
      await writeFile(join(app, 'a'), 'local');
      git('commit', '--quiet', '--all', '-m', 'a local commit');
      const local = git('rev-parse', 'HEAD');
      const commit = await deployed(scene, { a: '2' });
      expect(git('rev-parse', 'local')).to.equal(local);
      git('branch', '-D', 'local');
      expect(git('log', '-1', '--format=%s', `refs/fraisier/before/${local}`)).to.equal('a local commit');
      expect(reasonOf(await host.run(stageOf(commit)))).to.equal('');
      origin.git('checkout', '--quiet', '--orphan', 'fresh');
      expect(git('rev-parse', 'HEAD')).to.equal(commit);
      const fresh = await deployed(scene, { z: 'fresh' });
      expect(git('rev-parse', 'HEAD')).to.equal(fresh);
    }));

  it('names its own repository when the plan does, whatever its origin is', () =>
    withFolder(async (folder) => {
      const named = aRepository(folder, 'named');
      const commit = named.commit({ a: '1' });
      const next = named.commit({ a: '2' });
      const checkout = aRepository(folder, 'app');
      checkout.git('fetch', '--quiet', named.url, commit);
      checkout.git('reset', '--quiet', '--hard', commit);
      const policy = aPolicy(folder, { repositories: [named.url] });
      const host = await aHost(folder, { layout: 'LAYOUT_IN_PLACE', repository: named.url }, { policy });
      for (const action of [PREFLIGHT, fetchOf(named.url, next), stageOf(next)])
        expect(reasonOf(await host.run(action))).to.equal('');
      expect(reasonOf(await host.run(activateOf(next), { phase: Phase.RELEASE }))).to.equal('');
      expect(await headOf(join(folder, 'app'))).to.equal(next);
    }));

  it('keeps the state folder closed, but for passing through to what is staged for its user', () =>
    withCheckout(async (scene) => {
      const own = ownUser();
      const user = own.uid === 0 ? ((await findUser('nobody')) === null ? 'daemon' : 'nobody') : own.name;
      const found = (await findUser(user)) ?? own;
      await chmod(join(scene.host.folder), 0o755);
      await chmod(scene.host.stateFolder, 0o700);
      const policy = aPolicy(scene.host.folder, { repositories: ['file://*'], users: [user] });
      const target = { ...scene.host.target, user };
      scene.git('config', 'core.fileMode', 'false');
      chownAll(scene.app, found);
      const commit = scene.origin.commit({ a: '2' });
      for (const action of [PREFLIGHT, fetchOf('', commit), stageOf(commit), commandOf(commit)])
        expect(
          reasonOf(await scene.host.run(action, { policy: { ...policy, commands: ['sh **'] }, target })),
        ).to.equal('');
      expect(
        reasonOf(await scene.host.run(activateOf(commit), { policy, target, phase: Phase.RELEASE })),
      ).to.equal('');
      expect((await stat(join(scene.app, 'a'))).uid).to.equal(found.uid);
      expect((await stat(scene.host.stateFolder)).mode & 0o777).to.equal(own.uid === 0 ? 0o711 : 0o700);
    }));
});

function chownAll(folder: string, { uid, gid }: { uid: number; gid: number }): void {
  execFileSync('chown', ['-R', `${uid}:${gid}`, folder]);
}

describe('a checkout that cannot be deployed', () => {
  it('has changes: their files are named, twenty of them', () =>
    withCheckout(async (scene) => {
      const { app, host, git } = scene;
      await writeFile(join(app, 'ignored'), 'x');
      await writeFile(join(app, 'own'), 'x');
      expect(reasonOf(await host.run(PREFLIGHT))).to.equal('');
      await writeFile(join(app, 'a'), 'changed');
      await writeFile(join(app, 'quo"te'), 'x');
      git('add', 'quo"te');
      git('mv', '.gitignore', 'moved');
      const end = await host.run(PREFLIGHT);
      expect(reasonOf(end)).to.equal(
        `dirty_tree: the checkout ${app} has changes that are not committed: a, moved, "quo\\"te"`,
      );
      expect(end).to.have.nested.property('reason.facts.count', '3');
      for (let at = 0; at < 25; at++) await writeFile(join(app, `f${at}`), 'x');
      git('add', '--all');
      expect(reasonOf(await host.run(PREFLIGHT))).to.match(/, f\d+ and \d+ more$/);
    }));

  it('has changes made after it was looked at', () =>
    withCheckout(async (scene) => {
      const commit = scene.origin.commit({ a: '2' });
      await scene.prepare(commit);
      await writeFile(join(scene.app, 'a'), 'changed');
      expect(reasonOf(await scene.activate(commit))).to.equal(
        `dirty_tree: the checkout ${scene.app} has changes that are not committed: a`,
      );
      expect(await readFile(join(scene.app, 'a'), 'utf8')).to.equal('changed');
    }));

  it('has files that the commit would replace; ignored ones do not count', () =>
    withCheckout(async (scene) => {
      const { app, host, origin } = scene;
      await mkdir(join(app, 'folder'));
      for (const name of ['b', 'folder/c', 'plain', 'ignored', 'other'])
        await writeFile(join(app, name), 'mine');
      const commit = origin.commit({ b: '2', folder: 'a file now', 'plain/x': '1', ignored: 'theirs' });
      expect(reasonOf(await host.run(fetchOf('', commit)))).to.equal('');
      expect(reasonOf(await host.run(stageOf(commit)))).to.equal(
        `dirty_tree: the checkout ${app} has files that are not tracked where ${commit.slice(0, 12)} has its own: b, folder/c, plain`,
      );
      for (const name of ['b', 'folder', 'plain']) await rm(join(app, name), { recursive: true });
      expect(reasonOf(await host.run(stageOf(commit)))).to.equal('');
      expect(reasonOf(await scene.activate(commit))).to.equal('');
      expect(await readFile(join(app, 'ignored'), 'utf8')).to.equal('theirs');
    }));

  it('is not there, is no checkout, has no origin, no commit, or an address that is not given to git', () =>
    withCheckout(async ({ app, host, git }) => {
      git('remote', 'set-url', 'origin', 'https://user:secret@example.com/a.git');
      const policy = aPolicy(host.folder, { repositories: ['https://*', 'file://*'] });
      expect(reasonOf(await host.run(PREFLIGHT, { policy }))).to.equal(
        'preflight_failed: the address of the repository carries a user name or password, which others could read',
      );
      git('remote', 'remove', 'origin');
      const none = `preflight_failed: the checkout ${app} has no remote "origin" to fetch from`;
      expect(reasonOf(await host.run(PREFLIGHT))).to.equal(none);
      expect(reasonOf(await host.run(fetchOf('', COMMIT)))).to.equal(none);
      await rm(app, { recursive: true });
      const gone = await host.run(PREFLIGHT);
      expect(reasonOf(gone)).to.equal(
        `preflight_failed: there is no checkout at ${app}, and the layout in_place updates one`,
      );
      expect(gone).to.have.nested.property('reason.hint', `on the host: git clone URL ${app}`);
      await mkdir(app);
      const target = { ...host.target, repository: 'file:///x' };
      const empty = await host.run(PREFLIGHT, { target });
      expect(reasonOf(empty)).to.equal(
        `preflight_failed: ${app} is not a git checkout, and the layout in_place updates one`,
      );
      expect(empty).to.have.nested.property('reason.hint', `on the host: git clone file:///x ${app}`);
      aRepository(host.folder, 'app');
      expect(reasonOf(await host.run(PREFLIGHT, { target }))).to.equal(
        `preflight_failed: the checkout ${app} has no commit to go back to`,
      );
    }));

  it('has an origin that the policy does not allow, looked up again when it is fetched', () =>
    withCheckout(async ({ host, origin }) => {
      const policy = aPolicy(host.folder, { repositories: ['https://*'] });
      for (const action of [PREFLIGHT, fetchOf('', COMMIT)]) {
        const end = await host.run(action, { policy });
        expect(reasonOf(end)).to.include(
          `policy_refused: ${host.folder}/policy.yaml does not allow the repository ${origin.url} (`,
        );
      }
    }));

  it('belongs to somebody else, or git does not work in it', () =>
    withCheckout(async ({ host, app, git }) => {
      const said = async (output: string): Promise<string> => {
        const command: StepContext['command'] = async ({ argv }) =>
          argv.includes('rev-parse')
            ? { ended: 'exited', exitCode: 128, output }
            : { ended: 'exited', exitCode: 0, output: '' };
        return reasonOf(await host.run(PREFLIGHT, { command }));
      };
      expect(await said(`fatal: detected dubious ownership in repository at '${app}'\n`)).to.equal(
        `preflight_failed: the checkout ${app} does not belong to the user of the agent, as whom git runs there`,
      );
      git('config', 'core.repositoryFormatVersion', '99');
      expect(reasonOf(await host.run(PREFLIGHT))).to.match(
        /^preflight_failed: git does not work in the checkout .* as the user of the agent: fatal: /,
      );
      expect(await said('')).to.match(/: git did not say why$/);
    }));

  it('names the user that git runs as there', () =>
    withCheckout(async ({ host, app }) => {
      const user = ownUser().name;
      const target = { ...host.target, user };
      const policy = aPolicy(host.folder, { repositories: ['file://*'], users: [user] });
      const command: StepContext['command'] = async ({ argv }) =>
        argv.includes('rev-parse')
          ? { ended: 'exited', exitCode: 128, output: 'fatal: unsafe repository' }
          : { ended: 'exited', exitCode: 0, output: '' };
      expect(reasonOf(await host.run(PREFLIGHT, { command, target, policy }))).to.equal(
        `preflight_failed: the checkout ${app} does not belong to ${user}, as whom git runs there`,
      );
    }));

  it('does not have the commit, or something that is none is wanted', () =>
    withCheckout(async (scene) => {
      expect(reasonOf(await scene.activate(COMMIT))).to.equal(
        `activate_failed: the commit ${COMMIT} is not in the checkout ${scene.app}`,
      );
      expect(reasonOf(await scene.activate('main'))).to.equal('activate_failed: "main" is not a full commit');
    }));

  it('ends as its commands do, wherever they are stopped', () =>
    withCheckout(async (scene) => {
      const { host, git } = scene;
      const commit = scene.origin.commit({ a: '2' });
      const stopAt = async (
        word: string,
        run: (command: StepContext['command']) => Promise<unknown>,
      ): Promise<void> => {
        const plain = async (): Promise<CommandEnd> => ({ ended: 'exited', exitCode: 0, output: '' });
        const end = await run(async ({ argv }) => (argv.includes(word) ? stopped : plain()));
        expect(end, word).to.have.nested.property('reason.code', 'cancelled');
      };
      for (const word of ['rev-parse', 'status'])
        await stopAt(word, (command) => host.run(PREFLIGHT, { command }));
      await scene.prepare(commit);
      for (const word of ['cat-file', 'status', 'update-ref', 'checkout', 'sync'])
        await stopAt(word, (command) => scene.activate(commit, { command }));
      await stopAt('stash', (command) =>
        scene.activate(git('rev-parse', 'HEAD'), { command, phase: Phase.UNDO }),
      );
      for (const word of ['ls-files', 'diff'])
        await stopAt(word, (command) => host.run(stageOf(commit), { command }));
      const second = scene.origin.commit({ a: '3' });
      expect(reasonOf(await host.run(fetchOf('', second)))).to.equal('');
      const without =
        (command: StepContext['command']): StepContext['command'] =>
        async (asked) =>
          asked.argv.includes('cat-file') ? { ended: 'exited', exitCode: 1, output: '' } : command(asked);
      expect(reasonOf(await host.run(stageOf(second)))).to.equal('');
      for (const word of ['bundle', 'fetch'])
        await stopAt(word, (command) => host.run(stageOf(second), { command: without(command) }));
    }));

  it('is not brought to a commit that git cannot check out', () =>
    withCheckout(async (scene) => {
      const commit = scene.origin.commit({ 'new/file': '2' });
      await scene.prepare(commit);
      await writeFile(join(scene.app, 'new'), 'in the way since then');
      expect(reasonOf(await scene.activate(commit))).to.match(
        /^activate_failed: the checkout .* could not be brought to .*: error: /,
      );
      expect(await readBrokenOff(scene.host)).to.equal(null);
    }));
});

describe('a checkout that was broken off', () => {
  it('is done again, whatever it left in the tree', () =>
    withCheckout(async (scene) => {
      const { host, app, git } = scene;
      const commit = scene.origin.commit({ a: '2', b: '2' });
      await scene.prepare(commit);
      await noteCheckout(host, commit);
      await writeFile(join(app, 'a'), '');
      await writeFile(join(app, 'b'), 'half');
      await writeFile(join(app, '.git', 'index.lock'), '');
      expect(reasonOf(await host.run(PREFLIGHT))).to.equal('');
      expect(host.log).to.include('a checkout was broken off here: the next one puts the tree in order');
      expect(reasonOf(await scene.activate(commit, { attempt: 2 }))).to.equal('');
      expect([
        git('rev-parse', 'HEAD'),
        git('status', '--porcelain'),
        await readBrokenOff(host),
      ]).to.deep.equal([commit, '', null]);
    }));

  it('is not settled, although git still names the commit before', () =>
    withCheckout(async (scene) => {
      const { host, git } = scene;
      const head = git('rev-parse', 'HEAD');
      const times = { stagedAt: '', activatedAt: '', provenGoodAt: '2026-01-01T00:00:00Z', previous: null };
      await mkdir(join(placeOf(host).appPath, 'releases'), { recursive: true });
      await writeReleaseMark(placeOf(host), { commit: head, ...times });
      const settle = { $case: 'preflight', value: { minFreeBytes: 1, settle: true } } as const;
      const settled = async () => {
        const end = await host.run(settle, { commit: head });
        return 'result' in end && end.result?.settled;
      };
      expect(await settled()).to.equal(true);
      await noteCheckout(host, scene.origin.commit({ a: '2' }));
      expect(await settled()).to.equal(false);
    }));

  it('is really done again when the agent was killed in the middle of it', () =>
    withCheckout(async (scene) => {
      const { host, app, git } = scene;
      const files = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`f${at}`, `${at}`]));
      const commit = scene.origin.commit(files);
      await scene.prepare(commit);
      // A smudge filter that never ends: git stands still in the middle of the checkout.
      const stands = join(host.folder, 'stands');
      git('config', 'filter.slow.smudge', `kill -STOP $PPID; touch ${stands}; cat`);
      await mkdir(join(app, '.git/info'), { recursive: true });
      await writeFile(join(app, '.git/info/attributes'), 'f200 filter=slow\n');
      const stop = new AbortController();
      const run = scene.activate(commit, { signal: stop.signal });
      await until('git to stand still', () => existsSync(stands));
      stop.abort(reason('cancelled', 'the agent was killed'));
      expect(reasonOf(await run)).to.include('the agent was killed');
      expect(git('rev-parse', 'HEAD')).to.not.equal(commit);
      expect(existsSync(join(app, '.git/index.lock'))).to.equal(true);
      await rm(join(app, '.git/info/attributes'));
      expect(reasonOf(await scene.activate(commit, { attempt: 2 }))).to.equal('');
      expect([git('rev-parse', 'HEAD'), git('status', '--porcelain')]).to.deep.equal([commit, '']);
      expect(readdirSync(app).filter((name) => name.startsWith('f'))).to.have.length(300);
      expect(host.log.join('\n')).to.include('which a git that is gone had left');
    })).timeout(30_000);

  it('is not guessed where the note cannot be read', () =>
    withCheckout(async ({ host }) => {
      await noteCheckout(host, COMMIT);
      expect(await readBrokenOff(host)).to.equal(COMMIT);
      const note = join(placeOf(host).appPath, 'checking-out');
      await rm(note);
      await mkdir(note);
      expect(await readBrokenOff(host).catch((error: NodeJS.ErrnoException) => error.code)).to.equal(
        'EISDIR',
      );
    }));
});

describe('the index.lock of a checkout', () => {
  const contextOf = ({ host }: Scene): StepContext =>
    ({ target: host.target, log: async (line: string) => void host.log.push(line) }) as StepContext;

  it('stays while a git is at work there, and the process is named', () =>
    withCheckout(async (scene) => {
      const lock = join(scene.app, '.git', 'index.lock');
      await writeFile(lock, '');
      const git = spawn('git', ['cat-file', '--batch'], {
        cwd: scene.app,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      const ended = new Promise((done) => git.on('exit', done));
      // Until it is git, and not what starts it.
      await until('git to run', async () => (await readFile(`/proc/${git.pid}/comm`, 'utf8')) === 'git\n');
      const end = await scene.activate(scene.git('rev-parse', 'HEAD'));
      expect(reasonOf(end)).to.equal(
        `activate_failed: another git is at work in the checkout ${scene.app} (process ${git.pid}), and holds ${lock}`,
      );
      git.stdin.end();
      await ended;
      expect(await clearIndexLock(contextOf(scene))).to.equal(null);
      expect([existsSync(lock), scene.host.log.at(-1)]).to.deep.equal([
        false,
        `removed ${lock}, which a git that is gone had left`,
      ]);
      expect(await clearIndexLock(contextOf(scene))).to.equal(null);
    }));

  it('stays where the host does not tell about its processes, or not about a git', () =>
    withCheckout(async (scene) => {
      const lock = join(scene.app, '.git', 'index.lock');
      await writeFile(lock, '');
      const proc = join(scene.host.folder, 'proc');
      const end = await clearIndexLock(contextOf(scene), proc);
      expect(reasonOf(end!)).to.equal(
        `activate_failed: another git is at work in the checkout ${scene.app}, and holds ${lock}`,
      );
      await mkdir(join(proc, '7', 'fd'), { recursive: true });
      await writeFile(join(proc, '7', 'comm'), 'git\n');
      await symlink(lock, join(proc, '7', 'fd', '3'));
      expect(reasonOf((await clearIndexLock(contextOf(scene), proc))!)).to.include('(process 7)');
      await rm(join(proc, '7', 'fd'), { recursive: true });
      await writeFile(join(proc, '7', 'cwd'), 'not to be looked at');
      expect(reasonOf((await clearIndexLock(contextOf(scene), proc))!)).to.include('(process 7)');
      await rm(join(proc, '7', 'cwd'));
      await mkdir(join(proc, '8'));
      expect(await clearIndexLock(contextOf(scene), proc)).to.equal(null);
      await rm(scene.app, { recursive: true });
      expect(await clearIndexLock(contextOf(scene), proc)).to.equal(null);
    }));
});

describe('a checkout as its files tell', () => {
  it('has its commit on a branch, packed or not, detached, or in a worktree', () =>
    withCheckout(async ({ app, git, host, origin }) => {
      const head = git('rev-parse', 'HEAD');
      expect(await headOf(app)).to.equal(head);
      git('pack-refs', '--all');
      expect(await headOf(app)).to.equal(head);
      git('checkout', '--quiet', '--detach');
      expect(await headOf(app)).to.equal(head);
      const worktree = join(host.folder, 'worktree');
      git('worktree', 'add', '--quiet', '-b', 'side', worktree);
      expect([await headOf(worktree), await originOf(worktree)]).to.deep.equal([head, origin.url]);
      git('symbolic-ref', 'HEAD', 'refs/heads/unborn');
      expect(await headOf(app)).to.equal('');
    }));

  it('has none where there is no checkout, or git keeps it in a way of its own', () =>
    withCheckout(async ({ app, host, prepare, origin }) => {
      expect([await headOf(host.folder), await originOf(host.folder)]).to.deep.equal(['', '']);
      expect(await headOf(join(app, 'a'))).to.equal('');
      const commit = origin.commit({ a: '2' });
      await prepare(commit);
      await writeFile(join(app, '.git', 'HEAD'), 'ref: refs/heads/.invalid\n');
      expect(await liveCommit(host)).to.equal('');
      await rm(join(app, '.git', 'packed-refs'), { force: true });
      await rm(join(app, '.git', 'HEAD'));
      expect(await headOf(app)).to.equal('');
      await writeFile(join(app, '.git', 'HEAD'), `${'x'.repeat(40)}\n`);
      expect(await headOf(app)).to.equal('');
    }));

  it('is not guessed where the disk does not answer', () =>
    withFolder(async (folder) => {
      expect(await headOf(`${folder}\0`).catch((error: NodeJS.ErrnoException) => error.code)).to.equal(
        'ERR_INVALID_ARG_VALUE',
      );
    }));

  it('lists files as git names them', () => {
    expect(changedIn('R  new\0old\0 M a b\0')).to.deep.equal(['new', 'a b']);
    expect(changedIn('')).to.deep.equal([]);
    expect(inTheWay(['a', 'b/c', 'd'], ['a/x', 'b', 'e/f'])).to.deep.equal(['a', 'b/c']);
  });
});
