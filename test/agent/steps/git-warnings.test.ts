import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { changedPaths } from '../../../agent/questions/changed-paths.js';
import { dirtyCheckout } from '../../../agent/questions/dirty-checkout.js';
import { resolveRef } from '../../../agent/questions/resolve-ref.js';
import { endOfCommand, saidBy } from '../../../agent/steps/ends.js';
import { mirrorFolder } from '../../../agent/steps/git.js';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import { withFolder } from '../exec/a-spec.js';
import { activateOf, fetchOf, PREFLIGHT, reasonOf, stageOf, withCheckout } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import { aHost, aPolicy } from './a-step-context.js';

/** From now on git says so of this repository, on standard error, each time it works in it, and works. */
async function warns(gitFolder: string): Promise<void> {
  await mkdir(join(gitFolder, 'objects/info'), { recursive: true });
  await writeFile(join(gitFolder, 'objects/info/alternates'), '/nowhere/at/all/objects\n');
}

describe('what git warns of beside its answer', () => {
  it('is no part of what a mirror is asked', () =>
    withFolder(async (folder) => {
      const [origin, lib] = [aRepository(folder), aRepository(folder, 'lib')];
      lib.commit({ l: 'lib' });
      origin.git('-c', 'protocol.file.allow=always', 'submodule', 'add', '--quiet', lib.url, 'lib');
      const first = origin.commit({ a: '1' });
      const second = origin.commit({ a: '2' });
      const policy = aPolicy(folder, { repositories: ['file://*'] });
      const host = await aHost(folder, { repository: origin.url }, { policy });
      const withLib = { submodules: true };
      expect(reasonOf(await host.run(fetchOf(origin.url, first, withLib)))).to.equal('');
      const mirror = mirrorFolder(host.stateFolder, origin.url);
      await warns(mirror);
      for (const action of [fetchOf(origin.url, second, withLib), stageOf(second, withLib)])
        expect(reasonOf(await host.run(action))).to.equal('');
      const release = join(host.target.appPath, 'releases', second);
      expect(await readFile(join(release, 'lib/l'), 'utf8')).to.equal('lib');
      const ports = {
        stateFolder: host.stateFolder,
        systemd: null,
        policy,
        signal: AbortSignal.timeout(30_000),
      };
      const question = { target: host.target, steps: [] };
      expect(await resolveRef({ ...question, ref: 'main' }, ports)).to.equal(second);
      expect(await resolveRef({ ...question, ref: first.slice(0, 10) }, ports)).to.equal(first);
      expect(await changedPaths({ ...question, from: first, to: second }, ports)).to.deep.equal({
        paths: ['a'],
        truncated: false,
      });
    }));

  it('does not make a checkout dirty, nor is it kept from being put in order', () =>
    withCheckout(async (scene) => {
      const { host, git, app, origin } = scene;
      const before = git('rev-parse', 'HEAD');
      await warns(join(app, '.git'));
      expect(await dirtyCheckout(host.target, { signal: AbortSignal.timeout(30_000) })).to.equal(null);
      const commit = origin.commit({ a: '2' });
      for (const action of [PREFLIGHT, fetchOf('', commit), stageOf(commit)])
        expect(reasonOf(await host.run(action))).to.equal('');
      expect(reasonOf(await host.run(activateOf(commit), { phase: Phase.RELEASE }))).to.equal('');
      await writeFile(join(app, 'a'), 'changed');
      expect(reasonOf(await host.run(activateOf(before), { phase: Phase.UNDO }))).to.equal('');
      expect(git('show', 'refs/fraisier/left/r_1-1:a')).to.equal('changed');
      expect(host.log.join('\n')).to.not.include('/nowhere/at/all');
    }));

  it('is what is told when it fails, and not what it answered', () => {
    const end = { ended: 'exited', exitCode: 1, output: 'a1b2c3\n', errors: 'fatal: no room\n' } as const;
    expect(reasonOf(endOfCommand(end, 'git', 'fetch_failed'))).to.equal(
      'fetch_failed: git exited with status 1: fatal: no room',
    );
    expect(saidBy({ ...end, errors: ' \n' })).to.equal('a1b2c3\n');
    expect(saidBy({ ended: 'signalled', signal: 'SIGKILL' })).to.equal('');
  });
});
