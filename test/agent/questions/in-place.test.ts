import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { inspectFraise } from '../../../agent/questions/inspect-fraise.js';
import { changesInCheckout, dirtyCheckout } from '../../../agent/questions/dirty-checkout.js';
import { isAncestor } from '../../../agent/questions/is-ancestor.js';
import { previewPlan } from '../../../agent/questions/preview-plan.js';
import { resolveRef } from '../../../agent/questions/resolve-ref.js';
import type { HostPorts } from '../../../agent/questions/host-ports.js';
import { findUser, ownUser } from '../../../agent/exec/users.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { IsAncestor, Preview, ResolveRef } from '../../../proto/gen/fraisier/v1/agent.js';
import { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { never, withFolder } from '../exec/a-spec.js';
import { fetchOf, withCheckout } from '../steps/a-checkout.js';
import type { Scene } from '../steps/a-checkout.js';
import { aPolicy } from '../steps/a-step-context.js';
import { aTarget } from '../steps/a-step-context.js';
import { privateGitHost } from '../steps/private-git-host.js';

const portsOf = ({ host }: Pick<Scene, 'host'>): HostPorts => ({
  stateFolder: host.stateFolder,
  systemd: null,
  policy: aPolicy(host.folder, { repositories: ['file://*'] }),
  signal: never(),
});

describe('questions about a checkout that is deployed in place', () => {
  it('resolve names in its own origin', () =>
    withCheckout(async (scene) => {
      const { host, origin } = scene;
      const commit = origin.commit({ a: '2' });
      const question = ResolveRef.fromPartial({ target: host.target, ref: 'main' });
      expect(await resolveRef(question, portsOf(scene))).to.equal(commit);
      const first = origin.git('rev-parse', 'HEAD~1');
      const ancestry = IsAncestor.fromPartial({ target: host.target, ancestor: first, descendant: commit });
      expect(await isAncestor(ancestry, portsOf(scene))).to.equal(true);
    }));

  it('are refused where the policy does not allow the origin, or there is none', () =>
    withCheckout(async (scene) => {
      const { host, git, app } = scene;
      const question = ResolveRef.fromPartial({ target: host.target, ref: 'main' });
      const said = async (ports: HostPorts): Promise<string> => {
        const error: unknown = await resolveRef(question, ports).catch((thrown: unknown) => thrown);
        return error instanceof FraisierError ? `${error.reason.code}: ${error.message}` : String(error);
      };
      expect(await said({ ...portsOf(scene), policy: aPolicy(host.folder) })).to.match(
        /^policy_refused: .* does not allow the repository file:/,
      );
      git('remote', 'remove', 'origin');
      expect(await said(portsOf(scene))).to.equal(
        `preflight_failed: the checkout ${app} has no remote "origin" to fetch from`,
      );
      git('remote', 'add', 'origin', 'https://me:secret@example.com/a.git');
      const anywhere = aPolicy(host.folder, { repositories: ['https://*'] });
      expect(await said({ ...portsOf(scene), policy: anywhere })).to.match(
        /^fetch_failed: the address of the repository carries/,
      );
    }));

  it('preview the difference to what is checked out, and say that it is dirty', () =>
    withCheckout(async (scene) => {
      const { host, origin, git, app } = scene;
      const commit = origin.commit({ a: '2', b: 'new' });
      await scene.prepare(commit);
      const preview = (): ReturnType<typeof previewPlan> =>
        previewPlan(Preview.fromPartial({ target: host.target, commit }), portsOf(scene));
      expect(await preview()).to.deep.include({
        currentRelease: git('rev-parse', 'HEAD'),
        commitsAhead: 1,
        files: [
          { change: 'M', path: 'a' },
          { change: 'A', path: 'b' },
        ],
        alreadyStaged: true,
        refusals: [],
      });
      await writeFile(join(app, 'a'), 'mine');
      expect((await preview()).refusals.map(({ code, message }) => `${code}: ${message}`)).to.deep.equal([
        `dirty_tree: the checkout ${app} has changes that are not committed: a`,
      ]);
      git('config', 'core.repositoryFormatVersion', '99');
      expect((await preview()).refusals[0]?.message).to.match(
        /^git could not look at the checkout .*: fatal: /,
      );
      git('config', '--file', join(app, '.git/config'), 'core.repositoryFormatVersion', '0');
      const stopped = AbortSignal.abort(new Error('too late'));
      expect((await dirtyCheckout(host.target, { signal: stopped }))?.message).to.match(/abort/);
      await rm(app, { recursive: true });
      expect((await preview()).refusals.map(({ message }) => message)[0]).to.equal(
        `there is no checkout at ${app}, and the layout in_place updates one`,
      );
    }));

  it('see who changed what in it', () =>
    withCheckout(async (scene) => {
      const { host, app, git } = scene;
      await writeFile(join(app, 'a'), 'mine');
      await writeFile(join(app, 'foreign'), 'x');
      await writeFile(join(app, 'ignored'), 'x');
      const files = [
        { path: 'a', change: 'M' },
        { path: 'foreign', change: '?' },
      ];
      expect(await inspectFraise(host.target, undefined, portsOf(scene))).to.deep.include({
        release: git('rev-parse', 'HEAD'),
        changedFiles: files,
      });
      await rm(join(app, '.git'), { recursive: true });
      expect(await changesInCheckout(host.target, portsOf(scene))).to.deep.equal([]);
    }));

  it('look as the user of the target, where they can become that', () =>
    withCheckout(async (scene) => {
      const { host } = scene;
      const unknown = { ...host.target, user: 'nobody-at-all' };
      expect([
        await dirtyCheckout(unknown, portsOf(scene)),
        await changesInCheckout(unknown, portsOf(scene)),
      ]).to.deep.equal([null, []]);
      const other = (await findUser('nobody')) === null ? 'daemon' : 'nobody';
      const said = await dirtyCheckout({ ...host.target, user: other }, portsOf(scene));
      // Root becomes the other, who may not work in root's checkout; an ordinary user cannot.
      if (ownUser().uid === 0) expect(said?.message).to.match(/^git could not look at the checkout/);
      else expect(said).to.equal(null);
    }));
});

describe('questions about a private repository', () => {
  it('are refused in one sentence, by whatever they need git for', () =>
    withFolder((folder) =>
      privateGitHost(folder, 'right', async (address) => {
        const repository = `${address}/shop/.git`;
        const target = aTarget(folder, { repository });
        const policy = aPolicy(folder, { repositories: [repository] });
        const ports: HostPorts = {
          stateFolder: join(folder, 'state'),
          systemd: null,
          policy,
          signal: never(),
        };
        const message = `${repository} asks for a login (401), and this host has none for it`;
        const error: unknown = await resolveRef(ResolveRef.fromPartial({ target, ref: 'main' }), ports).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(FraisierError).with.property('message', message);
        const step = Step.fromPartial({
          name: 'fetch',
          action: fetchOf(repository, '', { filter: 'blob:none' })!,
        });
        const commit = 'c0ffee'.repeat(6) + 'c0ff';
        const preview = await previewPlan(
          Preview.fromPartial({ target, commit, steps: [Step.fromPartial({ name: 'x' }), step] }),
          ports,
        );
        expect(preview.refusals.map((one) => one.message)).to.deep.equal([message]);
      }),
    ));
});
