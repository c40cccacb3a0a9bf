import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { mirrorFolder } from '../../../agent/steps/git.js';
import type { CommandEnd, StepContext } from '../../../agent/steps/step.js';
import { bringSubmodules, resolveAddress } from '../../../agent/steps/submodules.js';
import { reason } from '../../../proto/error-codes.js';
import { withFolder } from '../exec/a-spec.js';
import { fetchOf, reasonOf, stageOf } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import type { TestRepository } from './a-repository.js';
import { aHost, aPolicy } from './a-step-context.js';
import type { TestHost } from './a-step-context.js';

interface Scene {
  readonly host: TestHost;
  readonly origin: TestRepository;
  readonly lib: TestRepository;
  readonly inner: TestRepository;
  readonly release: (commit: string, path: string) => string;
}

const WITH = { submodules: true };

/** `origin` has `libs/lib` by a relative address, which has `deep/inner` by a whole one. */
async function withSubmodules(use: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const [origin, lib, inner] = [
      aRepository(folder, 'origin'),
      aRepository(folder, 'lib'),
      aRepository(folder, 'inner'),
    ];
    inner.commit({ i: 'inner' });
    add(lib, inner.url, 'deep/inner');
    lib.commit({ l: 'lib' });
    add(origin, '../lib', 'libs/lib', lib.url);
    const policy = aPolicy(folder, { repositories: ['file://*'] });
    const host = await aHost(folder, { repository: origin.url }, { policy });
    const release = (commit: string, path: string): string =>
      join(host.target.appPath, 'releases', commit, path);
    await use({ host, origin, lib, inner, release });
  });
}

function add(to: TestRepository, address: string, path: string, from = address): void {
  to.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', '--', from, path);
  to.git('config', '--file', '.gitmodules', `submodule.${path}.url`, address);
}

async function deploy({ host, origin }: Scene, commit: string): Promise<string> {
  const fetched = reasonOf(await host.run(fetchOf(origin.url, commit, WITH)));
  return fetched === '' ? reasonOf(await host.run(stageOf(commit, WITH))) : fetched;
}

describe('submodules', () => {
  it('come with the release, exactly their commits, within each other, and are staged without the network', () =>
    withSubmodules(async (scene) => {
      const { host, origin, lib, inner, release } = scene;
      const commit = origin.commit({ a: '1' });
      lib.commit({ l: 'newer' });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, WITH)))).to.equal('');
      for (const { folder } of [origin, lib, inner]) await rm(folder, { recursive: true });
      expect(reasonOf(await host.run(stageOf(commit, WITH)))).to.equal('');
      expect(await readFile(release(commit, 'libs/lib/l'), 'utf8')).to.equal('lib');
      expect(await readFile(release(commit, 'libs/lib/deep/inner/i'), 'utf8')).to.equal('inner');
      expect(existsSync(mirrorFolder(host.stateFolder, lib.url))).to.equal(true);
    }));

  it('are left out where they are not wanted', () =>
    withSubmodules(async ({ host, origin, release }) => {
      const commit = origin.commit({ a: '1' });
      for (const action of [fetchOf(origin.url, commit), stageOf(commit)])
        expect(reasonOf(await host.run(action))).to.equal('');
      expect(existsSync(release(commit, 'libs/lib/l'))).to.equal(false);
    }));

  it('need nothing where a commit has none, or names some that its tree has not', () =>
    withSubmodules(async (scene) => {
      const { origin } = scene;
      origin.commit({ 'libs/lib': null });
      const texts = [
        null,
        '[submodule "x"]\n\tpath = gone\n\turl = ../lib\n',
        '[submodule "y"]\n\tpath = only\n',
        '[submodule "z"]\n\tpath = ../outside\n\turl = ../lib\n',
        'not [ a config',
      ];
      for (const text of texts) {
        const commit = origin.commit({ '.gitmodules': text, a: String(text) });
        expect(await deploy(scene, commit), String(text)).to.equal('');
      }
    }));

  it('are not guessed from the folder that they are in', () =>
    withSubmodules(async (scene) => {
      const commit = scene.origin.commit({
        '.gitmodules': '[submodule "x"]\n\tpath = libs/\n\turl = ../lib\n',
      });
      expect(await deploy(scene, commit)).to.equal('');
      expect(existsSync(scene.release(commit, 'libs/lib/l'))).to.equal(false);
    }));

  it('are fetched only from where the policy says', () =>
    withSubmodules(async (scene) => {
      const { host, origin, inner } = scene;
      const commit = origin.commit({ a: '1' });
      const repositories = [origin.url, scene.lib.url];
      const policy = aPolicy(host.folder, { repositories });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, WITH), { policy }))).to.match(
        new RegExp(
          `^policy_refused: .* does not allow the repository of the submodule deep/inner ${inner.url} \\(add the line`,
        ),
      );
    }));

  it('are named when they cannot be had', () =>
    withSubmodules(async (scene) => {
      const { origin, lib } = scene;
      const commit = origin.commit({ a: '1' });
      lib.git('reset', '--quiet', '--hard', 'HEAD');
      await rm(lib.folder, { recursive: true });
      expect(await deploy(scene, commit)).to.equal(
        `fetch_failed: the submodule libs/lib: git could not fetch from ${lib.url}: fatal: '${lib.folder}' does not appear to be a git repository`,
      );
    }));

  it('end as git does where it is stopped, and where a mirror was lost', () =>
    withSubmodules(async (scene) => {
      const { host, origin, lib } = scene;
      const commit = origin.commit({ a: '1' });
      expect(await deploy(scene, commit)).to.equal('');
      const next = origin.commit({ a: '2' });
      expect(reasonOf(await host.run(fetchOf(origin.url, next)))).to.equal('');
      await rm(mirrorFolder(host.stateFolder, lib.url), { recursive: true });
      expect(reasonOf(await host.run(stageOf(next, WITH)))).to.match(
        /^stage_failed: git exited with status 128: /,
      );
      const stopped: CommandEnd = { ended: 'stopped', reason: reason('cancelled', 'enough') };
      const command: StepContext['command'] = async () => stopped;
      expect(reasonOf(await host.run(fetchOf(origin.url, next, WITH), { command }))).to.equal(
        'cancelled: enough',
      );
    }));

  it('are not followed for ever', () =>
    withSubmodules(async ({ host, origin, lib }) => {
      const commit = origin.commit({ a: '1' });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit)))).to.equal('');
      const git = async ({ argv }: { argv: readonly string[] }): Promise<CommandEnd> => {
        const output = argv.includes('config')
          ? `submodule.x.path\nx\0submodule.x.url\n${lib.url}\0`
          : argv.includes('.gitmodules')
            ? '100644 blob 1\t.gitmodules\0'
            : argv.includes('ls-tree')
              ? `160000 commit ${commit}\tx\0`
              : '';
        return { ended: 'exited', exitCode: 0, output };
      };
      const ports = {
        git,
        policy: aPolicy(host.folder, { repositories: ['file://*'] }),
        stateFolder: host.stateFolder,
        filter: '',
      };
      const of = { repository: origin.url, mirror: mirrorFolder(host.stateFolder, origin.url), commit };
      expect(await bringSubmodules(ports, of)).to.have.nested.property(
        'reason.message',
        `${lib.url} has submodules more than 10 deep in each other`,
      );
    }));

  const addresses: readonly [base: string, address: string, is: string][] = [
    ['https://example.com/acme/shop.git', '../lib.git', 'https://example.com/acme/lib.git'],
    ['https://example.com/acme/shop.git/', './lib', 'https://example.com/acme/shop.git/lib'],
    ['git@example.com:acme/shop.git', '../lib.git', 'git@example.com:acme/lib.git'],
    ['git@example.com:shop.git', '../lib.git', 'git@example.com:lib.git'],
    ['git@example.com:acme/shop.git', '../../other/lib.git', 'git@example.com:other/lib.git'],
    ['/srv/git/shop.git', '../lib.git', '/srv/git/lib.git'],
    ['/srv/git/shop.git', '..', '/srv/git'],
    ['https://example.com/a', 'https://other.example/b', 'https://other.example/b'],
    ['https://example.com/a', '..hidden', '..hidden'],
  ];
  for (const [base, address, is] of addresses) {
    it(`at ${address} from ${base} are at ${is}`, () => {
      expect(resolveAddress(base, address)).to.equal(is);
    });
  }
});
