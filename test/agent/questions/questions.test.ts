import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { HostPorts } from '../../../agent/questions/host-ports.js';
import { inspectFraise } from '../../../agent/questions/inspect-fraise.js';
import { momentOf } from '../../../agent/steps/unit-now.js';
import { changedPaths } from '../../../agent/questions/changed-paths.js';
import { isAncestor } from '../../../agent/questions/is-ancestor.js';
import { previewPlan } from '../../../agent/questions/preview-plan.js';
import { resolveRef } from '../../../agent/questions/resolve-ref.js';
import { writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { Preview } from '../../../proto/gen/fraisier/v1/agent.js';
import { Health, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { HealthProbe, HttpProbe, Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { never, withFolder } from '../exec/a-spec.js';
import { aRepository } from '../steps/a-repository.js';
import type { TestRepository } from '../steps/a-repository.js';
import { aPolicy, aSystemd, aTarget } from '../steps/a-step-context.js';

interface Scene {
  readonly folder: string;
  readonly origin: TestRepository;
  readonly target: Target;
  readonly ports: HostPorts;
}

async function withScene(use: (scene: Scene) => Promise<void>, target: Partial<Target> = {}): Promise<void> {
  await withFolder(async (folder) => {
    const origin = aRepository(folder);
    const policy = aPolicy(folder, { repositories: ['file://*'], units: ['checkout'] });
    const ports = { stateFolder: join(folder, 'state'), systemd: null, policy, signal: never() };
    await use({ folder, origin, target: aTarget(folder, { repository: origin.url, ...target }), ports });
  });
}

async function refusal(answer: Promise<unknown>): Promise<FraisierError> {
  const error = await answer.catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(FraisierError);
  return error as FraisierError;
}

async function makeLive({ target }: Scene, commit: string, more: object = {}): Promise<void> {
  await mkdir(join(target.appPath, 'releases', commit), { recursive: true });
  const mark = {
    commit,
    stagedAt: 'x',
    activatedAt: '2026-01-02T03:04:05.678Z',
    provenGoodAt: null,
    previous: null,
  };
  await writeReleaseMark(target, { ...mark, ...more });
  await symlink(`releases/${commit}`, join(target.appPath, 'current'));
}

describe('which commit a name means', () => {
  const resolve = ({ target, ports }: Scene, ref: string, steps: Step[] = []): Promise<string> =>
    resolveRef({ target, ref, steps }, ports);

  it('is the tip of a branch, before a tag of the same name', () =>
    withScene(async (scene) => {
      const { origin } = scene;
      const first = origin.commit({ a: '1' });
      origin.git('branch', 'feature/x');
      const second = origin.commit({ a: '2' });
      origin.git('tag', 'main', first);
      expect(await resolve(scene, 'main')).to.equal(second);
      expect(await resolve(scene, 'feature/x')).to.equal(first);
      expect(await resolve(scene, 'refs/heads/feature/x')).to.equal(first);
    }));

  it('is the commit of a tag, also of an annotated one', () =>
    withScene(async (scene) => {
      const commit = scene.origin.commit({ a: '1' });
      scene.origin.git('tag', 'v1');
      scene.origin.git('tag', '-a', '-m', 'second', 'v2');
      expect(await resolve(scene, 'v1')).to.equal(commit);
      expect(await resolve(scene, 'v2')).to.equal(commit);
    }));

  it('is a full commit itself, if it is there, from the mirror where that has it', () =>
    withScene(async (scene) => {
      const commit = scene.origin.commit({ a: '1' });
      expect(await resolve(scene, commit)).to.equal(commit);
      await rm(scene.origin.folder, { recursive: true });
      expect(await resolve(scene, commit)).to.equal(commit);
    }));

  it('is what an abbreviated commit begins', () =>
    withScene(async (scene) => {
      const commit = scene.origin.commit({ a: '1' });
      expect(await resolve(scene, commit.slice(0, 8))).to.equal(commit);
    }));

  it('is not guessed', () =>
    withScene(async (scene) => {
      scene.origin.commit({ a: '1' });
      for (const ref of ['nowhere', '0123456', '--upload-pack=x', 'a..b', 'main~1', '']) {
        const error = await refusal(resolve(scene, ref));
        expect(error.reason.code).to.equal('unknown_commit');
        expect(error.message).to.equal(`${scene.origin.url} has no branch, tag or commit "${ref}"`);
      }
      expect((await refusal(resolve(scene, 'a'.repeat(40)))).reason.code).to.equal('commit_not_found');
    }));

  it('is refused together with the steps that the policy would refuse', () =>
    withScene(async (scene) => {
      const step = Step.fromPartial({
        name: 'x',
        action: { $case: 'restart', value: { how: { $case: 'systemdService', value: 'other' } } },
      });
      const error = await refusal(resolve(scene, 'main', [step]));
      expect(error.reason.code).to.equal('policy_refused');
      expect(error.reason.hint).to.include('--unit other.service');
    }));

  it('is not known where the repository cannot be reached, has no address, or there is no target', () =>
    withScene(async (scene) => {
      await rm(scene.origin.folder, { recursive: true });
      for (const ref of ['main', '0123456']) {
        const error = await refusal(resolve(scene, ref));
        expect(error.reason.code).to.equal('fetch_failed');
        expect(error.message).to.include('does not appear to be a git repository');
      }
      const local = { ...scene, target: { ...scene.target, repository: '' } };
      expect((await refusal(resolve(local, 'main'))).message).to.equal(
        'the plan names no repository to fetch from',
      );
      const none = await refusal(resolveRef({ target: undefined, ref: 'main', steps: [] }, scene.ports));
      expect(none.reason.code).to.equal('protocol_violation');
    }));

  it('is not waited for longer than the question lasts', () =>
    withScene(async (scene) => {
      const late = { ...scene, ports: { ...scene.ports, signal: AbortSignal.abort() } };
      expect((await refusal(resolve(late, 'main'))).reason.code).to.equal('no_answer');
    }));

  it('is not found where the mirror cannot be filled', () =>
    withScene(async (scene) => {
      scene.origin.commit({ a: '1' });
      await mkdir(join(scene.folder, 'state'));
      await mkdir(join(scene.folder, 'state/mirrors'));
      const { mirrorFolder } = await import('../../../agent/steps/git.js');
      await writeFile(mirrorFolder(scene.ports.stateFolder, scene.origin.url), 'a file');
      expect((await refusal(resolve(scene, '0123456'))).reason.code).to.equal('fetch_failed');
    }));
});

describe('whether one commit is in the history of another', () => {
  it('is answered from the mirror, which is filled if need be', () =>
    withScene(async ({ origin, target, ports }) => {
      const first = origin.commit({ a: '1' });
      const second = origin.commit({ a: '2' });
      expect(await isAncestor({ target, ancestor: first, descendant: second }, ports)).to.equal(true);
      expect(await isAncestor({ target, ancestor: second, descendant: first }, ports)).to.equal(false);
      expect(await isAncestor({ target, ancestor: first, descendant: first }, ports)).to.equal(true);
      const gone = isAncestor({ target, ancestor: first, descendant: 'a'.repeat(40) }, ports);
      expect((await refusal(gone)).reason.code).to.equal('commit_not_found');
    }));
});

describe('which paths differ between two commits', () => {
  it('is answered from the mirror: also paths that were moved or taken back, and those with odd names', () =>
    withScene(async ({ origin, target, ports }) => {
      const from = origin.commit({ 'a/one': '1', 'b/two words': '2', same: '3' });
      const to = origin.commit({ 'a/one': null, 'c/one': '1', 'b/two words': '3', 'd/\u00e4\n': '4' });
      const forth = await changedPaths({ target, from, to }, ports);
      const paths = ['a/one', 'b/two words', 'c/one', 'd/\u00e4\n'];
      expect(forth).to.deep.equal({ paths, truncated: false });
      expect(await changedPaths({ target, from: to, to: from }, ports)).to.deep.equal(forth);
      expect(await changedPaths({ target, from, to: from }, ports)).to.deep.equal({
        paths: [],
        truncated: false,
      });
    }));

  it('is cut short when it is very many', () =>
    withScene(async ({ origin, target, ports }) => {
      const from = origin.commit({ a: '1' });
      const long = 'x'.repeat(200);
      const files = Array.from({ length: 5_100 }, (_, at) => [`${long}${at}`, ''] as const);
      const to = origin.commit(Object.fromEntries(files));
      const { paths, truncated } = await changedPaths({ target, from, to }, ports);
      expect(truncated).to.equal(true);
      expect(paths.length).to.be.within(4_800, 5_000);
    }));

  it('is refused for a commit that is gone, without a target, and when git cannot tell', () =>
    withScene(async ({ origin, target, ports }) => {
      const commit = origin.commit({ a: '1' });
      const gone = changedPaths({ target, from: 'a'.repeat(40), to: commit }, ports);
      expect((await refusal(gone)).reason.code).to.equal('commit_not_found');
      const nowhere = changedPaths({ target: undefined, from: commit, to: commit }, ports);
      expect((await refusal(nowhere)).reason.code).to.equal('protocol_violation');
    }));
});

describe('what a plan would change', () => {
  const preview = (
    { target, ports }: Scene,
    commit: string,
    more: Partial<Preview> = {},
  ): ReturnType<typeof previewPlan> =>
    previewPlan({ ...Preview.fromPartial({ target, commit }), ...more, target }, ports);

  it('is the difference between what is live and the commit, with the migrations it seems to bring', () =>
    withScene(async (scene) => {
      const { origin } = scene;
      const live = origin.commit({
        a: '1',
        gone: 'x',
        'old name': 'a text long enough to be known again\n',
        'db/migrations/001.sql': 'x',
      });
      await makeLive(scene, live, { provenGoodAt: 'y' });
      origin.commit({
        a: '2',
        gone: null,
        'old name': null,
        'new name': 'a text long enough to be known again\n',
      });
      const commit = origin.commit({ 'db/migrations/002.sql': 'y', 'db/migrations/deep/003.sql': 'z' });
      const { freeBytes, ...answer } = await preview(scene, commit, {
        migrationPaths: ['db/migrations/*.sql'],
      });
      expect(answer).to.deep.equal({
        currentRelease: live,
        currentProvenGood: true,
        files: [
          { path: 'a', change: 'M' },
          { path: 'db/migrations/002.sql', change: 'A' },
          { path: 'db/migrations/deep/003.sql', change: 'A' },
          { path: 'gone', change: 'D' },
          { path: 'new name', change: 'R' },
        ],
        commitsAhead: 2,
        estimatedMigrations: ['db/migrations/002.sql'],
        irreversibleMigrations: [],
        unitFiles: [],
        refusals: [],
        alreadyStaged: false,
      });
      expect(freeBytes).to.be.greaterThan(0);
    }));

  it('is everything where nothing is live', () =>
    withScene(async (scene) => {
      const commit = scene.origin.commit({ a: '1' });
      const answer = await preview(scene, commit);
      expect(answer).to.deep.include({
        currentRelease: '',
        files: [{ path: 'a', change: 'A' }],
        commitsAhead: 1,
        estimatedMigrations: [],
      });
      await makeLive(scene, 'a'.repeat(40));
      expect(await preview(scene, commit)).to.deep.include({
        currentRelease: 'a'.repeat(40),
        currentProvenGood: false,
        commitsAhead: 1,
      });
    }));

  it('knows what is staged already', () =>
    withScene(async (scene) => {
      const commit = scene.origin.commit({ a: '1' });
      await makeLive(scene, commit);
      expect(await preview(scene, commit)).to.deep.include({
        alreadyStaged: true,
        files: [],
        commitsAhead: 0,
      });
    }));

  it('is a list of refusals where the policy, the host or the repository says no', async () => {
    await withScene(async (scene) => {
      const elsewhere = { ...scene, target: { ...scene.target, appPath: '/srv/checkout' } };
      expect((await preview(elsewhere, 'x')).refusals.map(({ code }) => code)).to.deep.equal([
        'policy_refused',
      ]);
      const none = await refusal(previewPlan(Preview.fromPartial({}), scene.ports));
      expect(none.reason.code).to.equal('protocol_violation');
    });
    await withScene(
      async (scene) => {
        scene.origin.commit({ a: '1' });
        const withSystemd = { ...scene, ports: { ...scene.ports, systemd: aSystemd({}) } };
        const { refusals } = await preview(withSystemd, 'a'.repeat(40));
        expect(refusals.map(({ code }) => code)).to.deep.equal(['unknown_unit', 'commit_not_found']);
      },
      { systemdService: 'checkout' },
    );
  });
});

type Probe = NonNullable<Parameters<typeof HealthProbe.fromPartial>[0]['look']>;

const asking = (value: Partial<HttpProbe>): Probe => ({ $case: 'http', value });

describe('the fraise as it is now', () => {
  const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';
  const unit = {
    ActiveState: 'active',
    ActiveEnterTimestamp: 'Fri 2026-01-02 03:04:06 UTC',
    NeedDaemonReload: 'no',
  };
  const inspect = (
    { target, ports }: Scene,
    units: Record<string, string> | null,
    ...probes: readonly Probe[]
  ): ReturnType<typeof inspectFraise> =>
    inspectFraise(target, Health.fromPartial({ probes: probes.map((look) => ({ timeoutMs: 5000, look })) }), {
      ...ports,
      systemd: units === null ? null : aSystemd({ 'checkout.service': units }),
    });

  async function serving<T>(body: string, use: (url: string) => Promise<T>): Promise<T> {
    const server = createServer((_, response) => void response.end(body));
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
    try {
      return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    } finally {
      await new Promise((done) => server.close(done));
    }
  }

  it('is nothing on a new host', () =>
    withScene(async (scene) => {
      expect(await inspect(scene, null)).to.deep.equal({
        release: '',
        provenGood: false,
        activatedAt: undefined,
        unitState: 'unknown',
        unitStartedAt: undefined,
        health: '',
        healthAnswer: '',
        servedVersion: '',
        drift: [],
        kept: [],
        timers: [],
        changedFiles: [],
      });
    }));

  it('is the link, the unit and one look at the service', () =>
    withScene(
      async (scene) => {
        await makeLive(scene, COMMIT, { provenGoodAt: 'y' });
        await serving(`{"commit": "${COMMIT.slice(0, 7)}"}`, async (url) => {
          expect(
            await inspect(
              scene,
              unit,
              asking({ url, versionField: 'commit', expectVersion: 'a'.repeat(40) }),
            ),
          ).to.deep.equal({
            release: COMMIT,
            provenGood: true,
            activatedAt: new Date('2026-01-02T03:04:05.678Z'),
            unitState: 'active',
            unitStartedAt: new Date('2026-01-02T03:04:06Z'),
            health: 'healthy',
            healthAnswer: '200 {"commit": "c0ffeec"}',
            servedVersion: 'c0ffeec',
            drift: [],
            timers: [],
            changedFiles: [],
            kept: [
              {
                commit: COMMIT,
                provenGood: true,
                activatedAt: new Date('2026-01-02T03:04:05.678Z'),
                stagedAt: undefined,
              },
            ],
          });
        });
      },
      { systemdService: 'checkout' },
    ));

  it('drifts where the process is older than its code, serves another version, or its unit file changed', () =>
    withScene(
      async (scene) => {
        await makeLive(scene, COMMIT);
        const old = { ...unit, ActiveEnterTimestamp: 'Thu 2026-01-01 00:00:00 UTC', NeedDaemonReload: 'yes' };
        await serving('{"commit": "0ld"}', async (url) => {
          const { drift } = await inspect(scene, old, asking({ url, versionField: 'commit' }));
          expect(drift).to.deep.equal([
            'checkout runs since 2026-01-01T00:00:00.000Z, and its code was changed at 2026-01-02T03:04:05.678Z: it was not restarted: fraisier deploy checkout production',
            `the service serves version 0ld, and the live release is ${COMMIT}: fraisier deploy checkout production --force`,
            'the file of checkout changed after systemd read it: sudo systemctl daemon-reload',
          ]);
        });
      },
      { systemdService: 'checkout' },
    ));

  it('drifts where the link leads elsewhere, and is unhealthy where nobody answers', () =>
    withScene(
      async (scene) => {
        await mkdir(scene.target.appPath);
        await symlink('/elsewhere', join(scene.target.appPath, 'current'));
        const answer = await inspect(
          scene,
          { LoadState: 'loaded' },
          {
            $case: 'tcp',
            value: { host: '127.0.0.1', port: 1 },
          },
        );
        expect(answer).to.deep.include({
          release: '',
          unitState: 'unknown',
          health: 'unhealthy',
          drift: [`${join(scene.target.appPath, 'current')} does not lead to one of Fraisier's releases`],
        });
        const { target, ports } = scene;
        expect(await inspectFraise(target, undefined, { ...ports, systemd: null })).to.include({
          health: '',
        });
      },
      { systemdService: 'checkout' },
    ));

  it('runs no command for a question, and says so', () =>
    withScene(async (scene) => {
      const command: Probe = { $case: 'command', value: { argv: ['false'] } };
      const alone = await inspect(scene, null, command);
      expect([alone.health, alone.healthAnswer]).to.deep.equal(['', 'not asked']);
      await serving('ok', async (url) => {
        const both = await inspect(scene, null, asking({ url }), command);
        expect([both.health, both.healthAnswer]).to.deep.equal(['healthy', ': 200 ok; : not asked']);
      });
    }));

  it('reads moments as systemd prints them', () => {
    expect(momentOf('Mon 2026-11-23 00:53:00 UTC')?.toISOString()).to.equal('2026-11-23T00:53:00.000Z');
    expect(momentOf('')).to.equal(undefined);
    expect(momentOf('n/a')).to.equal(undefined);
  });
});
