import { chmod, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownUser } from '../../../agent/exec/users.js';
import { hostProblem } from '../../../agent/steps/preflight.js';
import { releasesNotTrusted } from '../../../agent/steps/trusted-releases.js';
import { withFolder } from '../exec/a-spec.js';
import { fetchOf, PREFLIGHT, reasonOf, stageOf } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import { aHost, aPolicy, aTarget } from './a-step-context.js';

const root = { name: 'root', uid: 0, gid: 0, home: '/root' };
const asRoot = ownUser().uid === 0;

describe('the folder of releases, for an agent that is root', () => {
  it('is refused where others can put links into it, before anything is done there', () =>
    withFolder(async (folder) => {
      const target = aTarget(folder);
      const releases = join(target.appPath, 'releases');
      expect(await hostProblem(target, null, root)).to.equal(null);
      await mkdir(releases, { recursive: true });
      await chmod(releases, 0o777);
      const problem = await hostProblem(target, null, root);
      expect(problem?.reason.message).to.equal(
        `${releases} can be written by others than root (uid ${ownUser().uid}, mode 777), and the agent works in it as root`,
      );
      expect(problem?.reason.hint).to.equal(
        `on the host: sudo chown root: ${releases} && sudo chmod go-w ${releases} (what is in it stays as it is)`,
      );
      await chmod(releases, 0o755);
      const own = await releasesNotTrusted(releases, 'stage_failed', root);
      expect(own === null).to.equal(asRoot);
      expect(await releasesNotTrusted(releases, 'stage_failed', { uid: 1000 })).to.equal(null);
      await rm(releases, { recursive: true });
      await symlink(folder, releases);
      expect(reasonOf((await releasesNotTrusted(releases, 'stage_failed', root))!)).to.equal(
        `stage_failed: ${releases} is not a folder, and the agent works in it as root`,
      );
    }));

  it('is looked at again by whatever writes or removes there; others than root have nothing to lend', () =>
    withFolder(async (folder) => {
      const origin = aRepository(folder);
      const commit = origin.commit({ a: '1' });
      const policy = aPolicy(folder, { repositories: [origin.url], users: ['root'] });
      const host = await aHost(folder, { repository: origin.url }, { policy });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit)))).to.equal('');
      const releases = join(host.target.appPath, 'releases');
      await mkdir(releases, { recursive: true });
      await chmod(releases, 0o777);
      const prune = { $case: 'prune', value: { keep: 1 } } as const;
      const codes = [];
      for (const action of [PREFLIGHT, stageOf(commit), prune])
        codes.push(reasonOf(await host.run(action)).split(':')[0]);
      const refused = ['preflight_failed', 'stage_failed', 'prune_failed'];
      expect(codes).to.deep.equal(asRoot ? refused : ['', '', '']);
    }));
});
