import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownUser } from '../../../agent/exec/users.js';
import { noteCheckout } from '../../../agent/steps/broken-checkout.js';
import type { CommandEnd, StepContext } from '../../../agent/steps/step.js';
import { reason } from '../../../proto/error-codes.js';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import { reasonOf, withCheckout } from './a-checkout.js';
import type { Scene } from './a-checkout.js';

const UNDO = { phase: Phase.UNDO };
const LEFT = '.git/fraisier-left/r_1-1';

/** From a commit with these files to one without them; the first is what there is to go back to. */
async function goneForward(scene: Scene, files: Record<string, string>): Promise<string> {
  const gone = Object.fromEntries(Object.keys(files).map((path) => [path, null]));
  const [old, next] = [scene.origin.commit(files), scene.origin.commit(gone)];
  for (const commit of [old, next]) {
    await scene.prepare(commit);
    expect(reasonOf(await scene.activate(commit))).to.equal('');
  }
  return old;
}

describe('what is of no commit, when a checkout goes back', () => {
  it('is moved out of the way and named, ignored or not; what is in nobody’s way stays', () =>
    withCheckout(async (scene) => {
      const { app, host, git } = scene;
      const theirs = { b: 'old', ignored: 'old', 'f/c': 'old', '-g/d\n': 'old', l: 'old', t: 'old' };
      const old = await goneForward(scene, theirs);
      for (const folder of ['-g', 't']) await mkdir(join(app, folder), { recursive: true });
      for (const path of ['b', 'ignored', 'f', '-g/d\n', 't/mine', 'free'])
        await writeFile(join(app, path), `mine: ${path}`);
      await symlink('/etc/passwd', join(app, 'l'));
      expect(reasonOf(await scene.activate(old, UNDO))).to.equal('');
      expect(git('rev-parse', 'HEAD')).to.equal(old);
      expect(git('status', '--porcelain')).to.equal('?? free');
      for (const path of ['b', 'ignored', 'f', '-g/d\n', 't/mine'])
        expect(await readFile(join(app, LEFT, path), 'utf8')).to.equal(`mine: ${path}`);
      expect((await lstat(join(app, LEFT, 'l'))).isSymbolicLink()).to.equal(true);
      for (const path of Object.keys(theirs)) expect(await readFile(join(app, path), 'utf8')).to.equal('old');
      expect(await readFile(join(app, 'free'), 'utf8')).to.equal('mine: free');
      expect(host.log).to.include(
        `what is of no commit and is in the way is kept in ${join(app, LEFT)}: "-g/d\\n", b, f, ignored, l, t/mine`,
      );
    }));

  it('is kept with a history of its own, and submodules stay', () =>
    withCheckout(async (scene) => {
      const { app, origin } = scene;
      const within = join(app, 'w');
      const old = await goneForward(scene, { w: 'a file', 'other/x': 'x' });
      execFileSync('git', ['init', '--quiet', within]);
      await writeFile(join(within, 'own'), 'mine');
      expect(reasonOf(await scene.activate(old, UNDO))).to.equal('');
      expect(await readFile(join(app, LEFT, 'w/own'), 'utf8')).to.equal('mine');
      expect(existsSync(join(app, LEFT, 'w/.git/HEAD'))).to.equal(true);
      origin.git('-c', 'protocol.file.allow=always', 'submodule', 'add', '--quiet', origin.url, 'sub');
      const withSub = origin.commit({});
      await scene.prepare(withSub);
      execFileSync('git', ['init', '--quiet', join(app, 'sub')]);
      await writeFile(join(app, 'sub', 'own'), 'mine');
      expect(reasonOf(await scene.activate(withSub, { ...UNDO, attempt: 2 }))).to.equal('');
      expect(await readFile(join(app, 'sub/own'), 'utf8')).to.equal('mine');
    }));

  it('is moved by git’s own user, also where nothing is checked out', () =>
    withCheckout(
      async (scene) => {
        const { app, git, host } = scene;
        const head = git('rev-parse', 'HEAD');
        git('symbolic-ref', 'HEAD', 'refs/heads/unborn');
        git('read-tree', '--empty');
        await writeFile(join(app, 'a'), 'mine');
        expect(reasonOf(await scene.activate(head, UNDO))).to.equal('');
        expect(await readFile(join(app, LEFT, 'a'), 'utf8')).to.equal('mine');
        const moved = host.commands.find(({ argv }) => argv.includes('move'));
        expect(moved?.user).to.equal(ownUser().name);
      },
      { user: ownUser().name },
    ));

  it('is looked for once: what a broken checkout of the same commit left is ours', () =>
    withCheckout(async (scene) => {
      const { app, host } = scene;
      const old = await goneForward(scene, { b: 'old' });
      await noteCheckout(host, old);
      await writeFile(join(app, 'b'), 'ol');
      expect(reasonOf(await scene.activate(old, UNDO))).to.equal('');
      expect([await readFile(join(app, 'b'), 'utf8'), existsSync(join(app, LEFT))]).to.deep.equal([
        'old',
        false,
      ]);
    }));

  it('is replaced by nothing where it cannot be told or moved', () =>
    withCheckout(async (scene) => {
      const { app, git } = scene;
      const old = await goneForward(scene, { b: 'old' });
      const head = git('rev-parse', 'HEAD');
      await writeFile(join(app, 'b'), 'mine');
      const failing =
        (word: string, end: CommandEnd): StepContext['command'] =>
        async (command) =>
          command.argv.includes(word) ? end : scene.host.real(command);
      const broken: CommandEnd = { ended: 'exited', exitCode: 1, output: '', errors: 'fatal: no\n' };
      const stopped: CommandEnd = { ended: 'stopped', reason: reason('cancelled', 'enough') };
      for (const word of ['diff', 'ls-files', 'move']) {
        const what =
          word === 'move'
            ? `keeping what is in the way in ${app} exited with status 1: fatal: no`
            : `git could not tell what is in the way in ${app}: fatal: no`;
        expect(reasonOf(await scene.activate(old, { ...UNDO, command: failing(word, broken) }))).to.equal(
          `activate_failed: ${what}`,
        );
        expect(reasonOf(await scene.activate(old, { ...UNDO, command: failing(word, stopped) }))).to.equal(
          'cancelled: enough',
        );
      }
      expect([git('rev-parse', 'HEAD'), await readFile(join(app, 'b'), 'utf8')]).to.deep.equal([
        head,
        'mine',
      ]);
      await rm(join(app, 'b'));
      expect(reasonOf(await scene.activate(old, UNDO))).to.equal('');
    }));
});
