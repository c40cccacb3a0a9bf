import { existsSync, readdirSync } from 'node:fs';
import { lstat, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { findUser, ownUser } from '../../../agent/exec/users.js';
import { freeBytes, gitProblem, hostProblem } from '../../../agent/steps/preflight.js';
import { liveRelease, readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { mirrorFolder } from '../../../agent/steps/git.js';
import { bringEverything } from '../../../agent/steps/mirror.js';
import type { StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { withFolder } from '../exec/a-spec.js';
import { aRepository } from './a-repository.js';
import type { TestRepository } from './a-repository.js';
import { aHost, aPolicy, aTarget } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

function codeOf(end: StepEnd): string {
  return end.outcome === Outcome.SUCCEEDED ? 'succeeded' : end.reason.code;
}

function messageOf(end: StepEnd): string {
  return end.outcome === Outcome.SUCCEEDED ? '' : end.reason.message;
}

const fetchOf = (repository: string, commit: string, more: object = {}): AnAction => ({
  $case: 'fetch',
  value: { repository, commit, ref: '', attempts: 1, delayMs: 1, ...more },
});
const stageOf = (commit: string): AnAction => ({ $case: 'stage', value: { commit } });
const activateOf = (commit: string): AnAction => ({ $case: 'activate', value: { commit } });

async function withRepository(
  use: (host: TestHost, origin: TestRepository) => Promise<void>,
  target: Partial<Target> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const origin = aRepository(folder);
    await use(await aHost(folder, { repository: origin.url, ...target }), origin);
  });
}

async function staged(
  host: TestHost,
  origin: TestRepository,
  files: Record<string, string | null>,
): Promise<string> {
  const commit = origin.commit(files);
  expect(codeOf(await host.run(fetchOf(origin.url, commit)))).to.equal('succeeded');
  const end = await host.run(stageOf(commit));
  expect(messageOf(end)).to.equal('');
  return commit;
}

const release = (host: TestHost, commit: string, path = ''): string =>
  join(host.target.appPath, 'releases', commit, path);

describe('fetch', () => {
  it('brings exactly the commit, and needs no network once it is there', () =>
    withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      expect(await host.run(fetchOf(origin.url, commit))).to.have.property('outcome', Outcome.SUCCEEDED);
      await rm(origin.folder, { recursive: true });
      expect(await host.run(fetchOf(origin.url, commit))).to.have.property('outcome', Outcome.SUCCEEDED);
    }));

  it('brings a commit of no branch from a host that serves it', () =>
    withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      origin.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
      origin.commit({ a: '2' });
      expect(codeOf(await host.run(fetchOf(origin.url, commit)))).to.equal('succeeded');
    }));

  const withoutBareCommits = (origin: TestRepository): void => {
    // As a server does that only speaks the first protocol: a commit must be the tip of something.
    origin.git('config', 'protocol.version', '0');
    origin.git('config', 'uploadpack.allowAnySHA1InWant', 'false');
  };

  it('falls back to all branches and tags', async () => {
    await withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      origin.commit({ a: '2' });
      withoutBareCommits(origin);
      await onlyTips(host);
      expect(codeOf(await host.run(fetchOf(origin.url, commit)))).to.equal('succeeded');
      // A branch takes the place of a folder of branches: old names are pruned first.
      origin.git('branch', 'feature');
      expect(codeOf(await host.run(fetchOf(origin.url, origin.commit({ a: '3' }))))).to.equal('succeeded');
    });
  });

  it('looks at the ref it was seen on when no branch or tag has it', () =>
    withRepository(async (host, origin) => {
      const first = origin.commit({ a: '1' });
      const request = origin.commit({ a: '2' });
      origin.git('update-ref', 'refs/merge-requests/7/head', origin.commit({ a: '3' }));
      origin.git('reset', '--quiet', '--hard', first);
      await onlyTips(host);
      expect(
        codeOf(await host.run(fetchOf(origin.url, request, { ref: 'refs/merge-requests/7/head' }))),
      ).to.equal('succeeded');
      const end = await host.run(fetchOf(origin.url, COMMIT, { ref: 'refs/merge-requests/7/head' }));
      expect(codeOf(end)).to.equal('commit_not_found');
    }));

  it('says that a commit is gone, and asks whether the branch was force-pushed', () =>
    withRepository(async (host, origin) => {
      origin.commit({ a: '1' });
      const end = await host.run(fetchOf(origin.url, COMMIT, { ref: 'main', attempts: 3 }));
      expect(codeOf(end)).to.equal('commit_not_found');
      expect(messageOf(end)).to.equal(
        `the commit ${COMMIT} is on no branch or tag of ${origin.url} (it was seen on main); was the branch force-pushed or deleted?`,
      );
      expect(host.notes).to.deep.equal([]);
    }));

  it('records each further attempt, and ends with git’s own words', () =>
    withFolder(async (folder) => {
      const url = `file://${folder}/nowhere`;
      const host = await aHost(folder, { repository: url });
      const end = await host.run(fetchOf(url, COMMIT, { attempts: 3 }));
      expect(codeOf(end)).to.equal('fetch_failed');
      expect(messageOf(end)).to.equal(
        `git could not fetch from ${url}: fatal: '${folder}/nowhere' does not appear to be a git repository`,
      );
      expect(host.notes.map(({ code, facts }) => [code, facts['attempt'], facts['of']])).to.deep.equal([
        ['fetch_retry', '1', '3'],
        ['fetch_retry', '2', '3'],
      ]);
    }));

  it('makes a mirror once, and mends one from which a power cut took files', () =>
    withRepository(async (host, origin) => {
      await host.run(fetchOf(origin.url, origin.commit({ a: '1' })));
      const inits = (): number => host.commands.filter(({ argv }) => argv.includes('init')).length;
      await host.run(fetchOf(origin.url, origin.commit({ a: '2' })));
      expect(inits()).to.equal(1);
      await rm(join(mirrorFolder(host.stateFolder, origin.url), 'HEAD'));
      expect(codeOf(await host.run(fetchOf(origin.url, origin.commit({ a: '3' }))))).to.equal('succeeded');
    }));

  it('removes the lock files of a git that was killed', () =>
    withRepository(async (host, origin) => {
      await host.run(fetchOf(origin.url, origin.commit({ a: '1' })));
      const mirror = mirrorFolder(host.stateFolder, origin.url);
      await writeFile(join(mirror, 'packed-refs.lock'), '');
      const commit = origin.commit({ a: '2' });
      await mkdir(join(mirror, 'refs/fraisier'), { recursive: true });
      await writeFile(join(mirror, `refs/fraisier/${commit}.lock`), '');
      expect(codeOf(await host.run(fetchOf(origin.url, commit)))).to.equal('succeeded');
    }));

  it('waits for another git that writes to the same mirror', () =>
    withRepository(async (host, origin) => {
      const commits = [origin.commit({ a: '1' }), origin.commit({ a: '2' }), origin.commit({ a: '3' })];
      const ends = await Promise.all(commits.map((commit) => host.run(fetchOf(origin.url, commit))));
      expect(ends.map(codeOf)).to.deep.equal(['succeeded', 'succeeded', 'succeeded']);
    }));

  const addresses: [string, string][] = [
    ['https://user:secret@example.com/a.git', 'carries a user name or password'],
    ['https://secret@example.com/a.git', 'carries a user name or password'],
    ['ssh://git:secret@example.com/a.git', 'carries a user name or password'],
    ['--upload-pack=secret', 'is not one that Fraisier gives to git'],
    ['ext::sh -c secret', 'is not one that Fraisier gives to git'],
    ['', 'names no repository'],
  ];
  for (const [address, message] of addresses) {
    it(`does not give git the address ${JSON.stringify(address.replace('secret', '…'))}`, () =>
      withFolder(async (folder) => {
        const host = await aHost(folder);
        const end = await host.run(fetchOf(address, COMMIT));
        expect(codeOf(end)).to.equal('fetch_failed');
        expect(JSON.stringify(end)).to.include(message).and.not.include('secret');
        expect(host.commands).to.deep.equal([]);
      }));
  }

  it('takes only full commits', () =>
    withRepository(async (host, origin) => {
      expect(messageOf(await host.run(fetchOf(origin.url, 'main')))).to.equal('"main" is not a full commit');
    }));

  it('does not try again when the disk is full', () =>
    withRepository(async (host, origin) => {
      for (const failing of ['init', 'fetch']) {
        const end = await host.run(fetchOf(origin.url, COMMIT, { attempts: 3 }), {
          command: async ({ argv }) => {
            if (!argv.includes(failing))
              return { ended: 'exited', exitCode: argv.includes('rev-parse') ? 1 : 0, output: '' };
            return {
              ended: 'exited',
              exitCode: 128,
              output: 'fatal: write error: No space left on device\n',
            };
          },
        });
        expect(codeOf(end)).to.equal('disk_full');
        expect(host.notes).to.deep.equal([]);
      }
    }));

  it('ends as it was broken off, wherever that was', () =>
    withRepository(async (host, origin) => {
      const why = reason('cancelled', 'enough');
      // init, fetch by its name (refused), init, fetch all, rev-parse (not there), fetch the ref, rev-parse, update-ref
      for (const last of [1, 2, 3, 4, 6, 8]) {
        let asked = 0;
        const end = await host.run(fetchOf(origin.url, COMMIT, { ref: 'refs/pull/1/head' }), {
          command: async () => {
            if (++asked === last) return { ended: 'stopped', reason: why };
            return { ended: 'exited', exitCode: [2, 5].includes(asked) ? 1 : 0, output: '' };
          },
        });
        expect(end, `command ${last}`).to.deep.equal({ outcome: Outcome.CANCELLED, reason: why });
      }
    }));

  it('says so when git does not say why', () =>
    withRepository(async (host, origin) => {
      const end = await host.run(fetchOf(origin.url, COMMIT), {
        command: async () => ({ ended: 'exited', exitCode: 1, output: '' }),
      });
      expect(messageOf(end)).to.equal('the mirror could not be made: it did not say why');
    }));

  it('of everything ends as making the mirror does', () =>
    withFolder(async (folder) => {
      const end = { ended: 'signalled', signal: 'SIGKILL' } as const;
      const brought = await bringEverything(async () => end, {
        mirror: join(folder, 'mirrors/x'),
        repository: 'x',
        access: { settings: [], environment: {}, credential: null, allow: () => '' },
      });
      expect(brought).to.deep.equal({ is: 'broken_off', end });
    }));

  it('says why the mirror cannot be made', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      await writeFile(join(host.stateFolder, 'mirrors'), 'a file');
      const end = await host.run(fetchOf('https://example.com/a.git', COMMIT));
      expect(codeOf(end)).to.equal('fetch_failed');
      expect(messageOf(end)).to.match(/^the mirror of the repository: /);
    }));

  it('rejects as the signal says when it is stopped between two attempts', () =>
    withFolder(async (folder) => {
      const url = `file://${folder}/nowhere`;
      const host = await aHost(folder, { repository: url });
      const stop = new AbortController();
      const run = host.run(fetchOf(url, COMMIT, { attempts: 2, delayMs: 60_000 }), {
        signal: stop.signal,
        note: async () => stop.abort(new Error('enough')),
      });
      expect(await run.catch((error: unknown) => error)).to.have.property('message', 'enough');
    }));
});

/** The next fetches of a bare commit are refused, as by a server of the first protocol. */
async function onlyTips(host: TestHost): Promise<void> {
  const { execFileSync } = await import('node:child_process');
  const mirror = mirrorFolder(host.stateFolder, host.target.repository);
  execFileSync('git', ['init', '--quiet', '--bare', mirror]);
  execFileSync('git', ['--git-dir', mirror, 'config', 'protocol.version', '0']);
}

describe('stage', () => {
  it('writes the tree of the commit, with its links and modes, and marks it', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { 'src/a.txt': 'one', link: '-> src/a.txt', '.hidden': 'x' });
      expect(await readFile(release(host, commit, 'src/a.txt'), 'utf8')).to.equal('one');
      expect(await readlink(release(host, commit, 'link'))).to.equal('src/a.txt');
      expect(existsSync(release(host, commit, '.git'))).to.equal(false);
      expect(await readReleaseMark(host.target, commit)).to.deep.include({
        commit,
        activatedAt: null,
        provenGoodAt: null,
      });
      expect(readdirSync(join(host.target.appPath, 'releases')).toSorted()).to.deep.equal([
        commit,
        `${commit}.json`,
      ]);
    }));

  it('stages a commit without any file', () =>
    withRepository(async (host, origin) => {
      expect(readdirSync(release(host, await staged(host, origin, {})))).to.deep.equal([]);
    }));

  it('uses a release that is there whole as it is', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { a: '1' });
      await writeFile(release(host, commit, 'installed'), 'kept');
      expect(await host.run(stageOf(commit))).to.deep.include({ result: { summary: 'already staged' } });
      expect(await readFile(release(host, commit, 'installed'), 'utf8')).to.equal('kept');
    }));

  it('clears away what killed attempts left, half a release too', () =>
    withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      await host.run(fetchOf(origin.url, commit));
      await mkdir(release(host, commit, 'half'), { recursive: true });
      await mkdir(`${release(host, commit)}.staging-r_0-1/deep`, { recursive: true });
      await writeFile(`${release(host, commit)}.staging-r_0-1.index`, '');
      expect(codeOf(await host.run(stageOf(commit)))).to.equal('succeeded');
      expect(readdirSync(join(host.target.appPath, 'releases')).toSorted()).to.deep.equal([
        commit,
        `${commit}.json`,
      ]);
      expect(readdirSync(release(host, commit))).to.deep.equal(['a']);
    }));

  it('does not touch the live release, whatever became of its mark', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { a: '1' });
      await host.run(activateOf(commit));
      await writeFile(`${release(host, commit)}.json`, '{"half');
      await writeFile(release(host, commit, 'running'), 'kept');
      expect(await host.run(stageOf(commit))).to.deep.include({ result: { summary: 'live already' } });
      expect(existsSync(release(host, commit, 'running'))).to.equal(true);
      expect(await readReleaseMark(host.target, commit)).not.to.equal(null);
    }));

  it('says which commit git does not know', () =>
    withRepository(async (host, origin) => {
      await host.run(fetchOf(origin.url, origin.commit({ a: '1' })));
      const end = await host.run(stageOf(COMMIT));
      expect(codeOf(end)).to.equal('stage_failed');
      expect(messageOf(end)).to.match(/^git exited with status 128: fatal: /);
    }));

  it('says when the disk is full, or the folder cannot be written', () =>
    withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      await host.run(fetchOf(origin.url, commit));
      const full = await host.run(stageOf(commit), {
        command: async () => ({
          ended: 'exited',
          exitCode: 128,
          output: 'error: unable to write file a: No space left on device\n',
        }),
      });
      expect(codeOf(full)).to.equal('disk_full');
      await rm(host.target.appPath, { recursive: true });
      await writeFile(host.target.appPath, 'a file');
      const end = await host.run(stageOf(commit));
      expect(codeOf(end)).to.equal('stage_failed');
      expect(messageOf(end)).to.match(/^staging the release: ENOTDIR/);
    }));

  it('ends as its commands do: failed with their words, or stopped', () =>
    withRepository(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      await host.run(fetchOf(origin.url, commit));
      await mkdir(release(host, commit), { recursive: true });
      const failed = await host.run(stageOf(commit), {
        command: async () => ({ ended: 'exited', exitCode: 1, output: 'rm: cannot remove x\n' }),
      });
      expect(messageOf(failed)).to.equal('clearing away a broken release: rm: cannot remove x');
      const stopped = await host.run(stageOf(commit), {
        command: async () => ({ ended: 'stopped', reason: reason('cancelled', 'enough') }),
      });
      expect(stopped.outcome).to.equal(Outcome.CANCELLED);
    }));

  it('gives the release to the user its code runs as: root to anybody, others to themselves', async () => {
    const own = ownUser();
    const user = own.uid === 0 ? await findUser('nobody') : own;
    await withRepository(
      async (host, origin) => {
        const commit = await staged(host, origin, {
          'src/a': '1',
          'data/seed.txt': 'x',
          link: '-> /etc/passwd',
        });
        for (const path of ['', 'src', 'src/a', 'link'])
          expect((await lstat(release(host, commit, path))).uid).to.equal(user?.uid);
        expect((await stat('/etc/passwd')).uid).to.equal(0);
        for (const path of ['data', 'data/seed.txt', 'uploads', '']) {
          expect((await lstat(join(host.target.appPath, 'shared', path))).uid).to.equal(user?.uid);
        }
      },
      { user: user?.name ?? '', shared: ['data', 'uploads'] },
    );
  });

  it('gives what becomes shared content away with all that is in it, or does not make it shared', () =>
    withRepository(
      async (host, origin) => {
        const commit = origin.commit({ 'data/deep/seed.txt': 'x' });
        await host.run(fetchOf(origin.url, commit));
        const given = (argv: readonly string[]): boolean =>
          argv[0] === 'chown' && argv.at(-1)!.endsWith('/data');
        const refused = await host.run(stageOf(commit), {
          command: async (command) =>
            given(command.argv)
              ? { ended: 'exited', exitCode: 1, output: '', errors: 'chown: no\n' }
              : host.real(command),
        });
        expect(messageOf(refused)).to.equal(`giving the release to ${ownUser().name}: chown: no`);
        expect(existsSync(join(host.target.appPath, 'shared/data'))).to.equal(false);
        expect(messageOf(await host.run(stageOf(commit)))).to.equal('');
        expect(host.commands.filter(({ argv }) => given(argv))).to.have.length(1);
        expect(await readFile(join(host.target.appPath, 'shared/data/deep/seed.txt'), 'utf8')).to.equal('x');
      },
      { user: ownUser().name, shared: ['data'] },
    ));

  it('takes only full commits', () =>
    withRepository(async (host) => {
      expect(codeOf(await host.run(stageOf('../../etc')))).to.equal('protocol_violation');
    }));
});

describe('shared paths', () => {
  it('are links into shared/, filled with what the first release holds there', () =>
    withRepository(
      async (host, origin) => {
        const first = await staged(host, origin, {
          'public/uploads/welcome.png': 'png',
          '.env': 'A=1',
          a: '1',
        });
        const shared = join(host.target.appPath, 'shared');
        expect(await readFile(join(shared, 'public/uploads/welcome.png'), 'utf8')).to.equal('png');
        expect(await readFile(release(host, first, '.env'), 'utf8')).to.equal('A=1');
        await writeFile(join(shared, '.env'), 'A=2');
        const second = await staged(host, origin, { a: '2' });
        expect(await readFile(release(host, second, '.env'), 'utf8')).to.equal('A=2');
        expect(await readlink(release(host, second, 'public/uploads'))).to.equal(
          '../../../shared/public/uploads',
        );
      },
      { shared: ['public/uploads/', '.env'] },
    ));

  it('are seen from the sub-folder in which the fraise lives', () =>
    withRepository(
      async (host, origin) => {
        const commit = await staged(host, origin, { 'services/shop/uploads/x': '1', uploads: 'of others' });
        const link = release(host, commit, 'services/shop/uploads');
        expect(await readlink(link)).to.equal('../../../../shared/uploads');
        expect(await readFile(join(link, 'x'), 'utf8')).to.equal('1');
        expect(await readFile(release(host, commit, 'uploads'), 'utf8')).to.equal('of others');
        const run = {
          $case: 'command',
          value: { argv: ['sh', '-c', 'pwd > "$FRAISIER_RELEASE/where"'], commit },
        } as const;
        expect(codeOf(await host.run(run))).to.equal('succeeded');
        expect(await readFile(release(host, commit, 'where'), 'utf8')).to.equal(
          `${release(host, commit, 'services/shop')}\n`,
        );
        expect(codeOf(await host.run(stageOf(commit)))).to.equal('succeeded');
        const elsewhere = { ...host.target, root: 'services/other' };
        expect(codeOf(await host.run(stageOf(commit), { target: elsewhere }))).to.equal('stage_failed');
      },
      { root: 'services/shop', shared: ['uploads'] },
    ));

  it('are made when nobody has them: folders by themselves, files by whoever writes them', () =>
    withRepository(
      async (host, origin) => {
        const commit = await staged(host, origin, { a: '1', broken: '-> nowhere' });
        expect((await stat(release(host, commit, 'log'))).isDirectory()).to.equal(true);
        await writeFile(release(host, commit, 'config/app.env'), 'B=1');
        expect(await readFile(join(host.target.appPath, 'shared/config/app.env'), 'utf8')).to.equal('B=1');
        expect((await stat(release(host, commit, 'broken'))).isDirectory()).to.equal(true);
      },
      { shared: ['log', 'config/app.env', 'broken'] },
    ));

  for (const path of ['../etc', '/etc', 'a/../../b', 'a//b', '']) {
    it(`refuse ${JSON.stringify(path)}`, () =>
      withRepository(
        async (host, origin) => {
          const commit = origin.commit({ a: '1' });
          await host.run(fetchOf(origin.url, commit));
          const end = await host.run(stageOf(commit));
          expect(codeOf(end)).to.equal('stage_failed');
          expect(messageOf(end)).to.include('must be relative, without ".."');
        },
        { shared: [path] },
      ));
  }

  it('never lead through a link, of the commit or in shared/', () =>
    withRepository(
      async (host, origin) => {
        const commit = origin.commit({ out: `-> ${host.folder}` });
        await host.run(fetchOf(origin.url, commit));
        const end = await host.run(stageOf(commit));
        expect(messageOf(end)).to.equal('the shared path out/data leads through out, which is not a folder');
        const other = origin.commit({ out: null });
        await host.run(fetchOf(origin.url, other));
        await mkdir(join(host.target.appPath, 'shared'));
        await symlink(host.folder, join(host.target.appPath, 'shared/out'));
        expect(codeOf(await host.run(stageOf(other)))).to.equal('stage_failed');
      },
      { shared: ['out/data'] },
    ));
});

describe('activate', () => {
  it('makes the release live and records what was live before', () =>
    withRepository(async (host, origin) => {
      const first = await staged(host, origin, { a: '1' });
      expect(await liveRelease(host.target)).to.equal('');
      expect(await host.run(activateOf(first))).to.deep.include({ result: { summary: 'the first release' } });
      const second = await staged(host, origin, { a: '2' });
      expect(await host.run(activateOf(second))).to.deep.include({
        result: { summary: `instead of ${first}` },
      });
      expect(await liveRelease(host.target)).to.equal(second);
      expect(await readlink(join(host.target.appPath, 'current'))).to.equal(`releases/${second}`);
      expect(await readReleaseMark(host.target, second)).to.have.property('previous', first);
      expect(await readReleaseMark(host.target, first)).to.have.property('previous', null);
    }));

  it('leaves the mark of what is gone back to as it is: that needs no room on the disk', () =>
    withRepository(async (host, origin) => {
      const first = await staged(host, origin, { a: '1' });
      await host.run(activateOf(first));
      const mark = await readReleaseMark(host.target, first);
      const second = await staged(host, origin, { a: '2' });
      await host.run(activateOf(second));
      await host.run(activateOf(first), { phase: Phase.UNDO });
      expect(await liveRelease(host.target)).to.equal(first);
      expect(await readReleaseMark(host.target, first)).to.deep.equal(mark);
      const third = await staged(host, origin, { a: '3' });
      await host.run(activateOf(third), { phase: Phase.UNDO });
      expect((await readReleaseMark(host.target, third))?.activatedAt).not.to.equal(null);
    }));

  describe('on the way back', () => {
    const UNDO = { phase: Phase.UNDO };
    const provenAt = async (host: TestHost, commit: string) =>
      (await readReleaseMark(host.target, commit))?.provenGoodAt ?? null;

    async function prove(host: TestHost, commit: string, at: string): Promise<void> {
      const mark = await readReleaseMark(host.target, commit);
      if (mark === null) throw new Error(`${commit} is not staged`);
      await writeReleaseMark(host.target, { ...mark, provenGoodAt: at });
    }

    /** Two releases that were healthy here, the second of them live. */
    async function withTwo(use: (host: TestHost, first: string, second: string) => Promise<void>) {
      await withRepository(async (host, origin) => {
        const first = await staged(host, origin, { a: '1' });
        await host.run(activateOf(first), UNDO);
        await prove(host, first, 'T1');
        const second = await staged(host, origin, { a: '2' });
        await host.run(activateOf(second));
        await prove(host, second, 'T2');
        await use(host, first, second);
      });
    }

    it('leaves what is taken back no good release: it was healthy here and not everywhere', () =>
      withTwo(async (host, first, second) => {
        await host.run(activateOf(first), UNDO);
        expect([await provenAt(host, first), await provenAt(host, second)]).to.deep.equal(['T1', null]);
      }));

    it('leaves it as good as it was before, if it was', () =>
      withTwo(async (host, first, second) => {
        await host.run(activateOf(first));
        await prove(host, first, 'T3');
        await host.run(activateOf(second), UNDO);
        expect([await provenAt(host, first), await provenAt(host, second)]).to.deep.equal(['T1', 'T2']);
        await host.run(activateOf(first));
        await host.run(activateOf(second), UNDO);
        expect(await provenAt(host, first)).to.equal('T1');
      }));

    it('says nothing of a release that somebody made live by hand', () =>
      withRepository(async (host, origin) => {
        const [first, byHand] = [
          await staged(host, origin, { a: '1' }),
          await staged(host, origin, { a: '2' }),
        ];
        await prove(host, byHand, 'T1');
        await symlink(`releases/${byHand}`, join(host.target.appPath, 'current'));
        await host.run(activateOf(first), UNDO);
        expect([await liveRelease(host.target), await provenAt(host, byHand)]).to.deep.equal([first, 'T1']);
      }));

    it('goes on where that cannot be written, and says so', () =>
      withTwo(async (host, first, second) => {
        await mkdir(join(host.target.appPath, 'releases', `${second}.json.new`));
        expect(codeOf(await host.run(activateOf(first), UNDO))).to.equal('succeeded');
        expect([await liveRelease(host.target), await provenAt(host, second)]).to.deep.equal([first, 'T2']);
        expect(host.log.join()).to.contain(`${second} still counts as proven good: `);
      }));

    it('leaves a first release that failed no good one either', () =>
      withRepository(async (host, origin) => {
        const only = await staged(host, origin, { a: '1' });
        await host.run(activateOf(only));
        await prove(host, only, 'T1');
        await host.run({ $case: 'deactivate', value: { systemdService: '', jobs: false } }, UNDO);
        expect([await liveRelease(host.target), await provenAt(host, only)]).to.deep.equal(['', null]);
      }));
  });

  it('does nothing when it is live already, and is not disturbed by half a swap', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { a: '1' });
      await symlink('releases/elsewhere', join(host.target.appPath, '.current.new'));
      await host.run(activateOf(commit));
      const mark = await readReleaseMark(host.target, commit);
      expect(await host.run(activateOf(commit))).to.deep.include({ result: { summary: 'live already' } });
      expect(await readReleaseMark(host.target, commit)).to.deep.equal(mark);
    }));

  it('refuses what is not staged', () =>
    withRepository(async (host) => {
      const end = await host.run(activateOf(COMMIT));
      expect(messageOf(end)).to.equal(`the release ${COMMIT} is not staged below ${host.target.appPath}`);
    }));

  it('does not replace a `current` that is no link', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { a: '1' });
      await mkdir(join(host.target.appPath, 'current'));
      const end = await host.run(activateOf(commit));
      expect(codeOf(end)).to.equal('activate_failed');
      expect(messageOf(end)).to.include(
        'current is not a link: Fraisier does not replace what it did not make',
      );
    }));

  it('says what the file system said no to', () =>
    withRepository(async (host, origin) => {
      const commit = await staged(host, origin, { a: '1' });
      await mkdir(join(host.target.appPath, '.current.new/deep'), { recursive: true });
      const end = await host.run(activateOf(commit));
      expect(codeOf(end)).to.equal('activate_failed');
      expect(messageOf(end)).to.match(/^activating the release: /);
    }));
});

describe('what is live', () => {
  it('is nothing where the link leads elsewhere, is no link, or has no place', () =>
    withFolder(async (folder) => {
      const target = { appPath: join(folder, 'app') };
      expect(await liveRelease(target)).to.equal('');
      await mkdir(target.appPath);
      await symlink(`/etc/${COMMIT}`, join(target.appPath, 'current'));
      expect(await liveRelease(target)).to.equal('');
      await rm(join(target.appPath, 'current'));
      await writeFile(join(target.appPath, 'current'), '');
      expect(await liveRelease(target)).to.equal('');
      expect(await liveRelease({ appPath: join(target.appPath, 'current') })).to.equal('');
    }));

  it('is also seen through an absolute link', () =>
    withFolder(async (folder) => {
      await symlink(join(folder, 'releases', COMMIT), join(folder, 'current'));
      expect(await liveRelease({ appPath: folder })).to.equal(COMMIT);
    }));

  it('is not guessed where the disk does not answer', () =>
    withFolder(async (folder) => {
      await symlink('loop', join(folder, 'loop'));
      const error = await liveRelease({ appPath: join(folder, 'loop') }).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'ELOOP');
    }));
});

describe('the mark of a release', () => {
  it('is not guessed where the disk does not answer', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'releases', `${COMMIT}.json`), { recursive: true });
      const error = await readReleaseMark({ appPath: folder }, COMMIT).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'EISDIR');
    }));

  it('counts only when it says that the release was staged', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'releases'));
      for (const text of ['{}', 'null', '']) {
        await writeFile(join(folder, 'releases', `${COMMIT}.json`), text);
        expect(await readReleaseMark({ appPath: folder }, COMMIT)).to.equal(null);
      }
    }));
});

describe('prune', () => {
  const pruneOf = (keep: number, keepCommits: string[] = []): AnAction => ({
    $case: 'prune',
    value: { keep, keepCommits },
  });
  const sha = (digit: number): string => digit.toString(16).repeat(40);

  /** Releases 1 … n; `good` were proven good, in the order of their numbers. */
  async function releases(
    host: TestHost,
    count: number,
    good: readonly number[],
    live: number,
  ): Promise<void> {
    for (let number = 1; number <= count; number++) {
      const commit = sha(number);
      await mkdir(release(host, commit, 'deep'), { recursive: true });
      const at = `2026-01-0${number}T00:00:00.000Z`;
      const provenGoodAt = good.includes(number) ? at : null;
      await writeReleaseMark(host.target, {
        commit,
        stagedAt: at,
        activatedAt: at,
        provenGoodAt,
        previous: null,
      });
    }
    await symlink(`releases/${sha(live)}`, join(host.target.appPath, 'current'));
  }

  const left = (host: TestHost): number[] =>
    readdirSync(join(host.target.appPath, 'releases'))
      .filter((name) => /^[0-9a-f]{40}$/.test(name))
      .map((name) => Number.parseInt(name.charAt(0), 16))
      .toSorted((one, other) => one - other);

  it('keeps the newest, and removes marks and what killed attempts left with the rest', () =>
    withRepository(async (host) => {
      await releases(host, 5, [1, 2, 3, 4, 5], 5);
      await mkdir(`${release(host, sha(9))}.staging-r_0-1`);
      const end = await host.run(pruneOf(3));
      expect(end).to.deep.include({ result: { summary: `removed ${sha(2)}, ${sha(1)}` } });
      expect(left(host)).to.deep.equal([3, 4, 5]);
      expect(readdirSync(join(host.target.appPath, 'releases'))).to.have.length(6);
    }));

  it('does not let five failed releases evict the last good one', () =>
    withRepository(async (host) => {
      await releases(host, 6, [1], 6);
      await host.run(pruneOf(2));
      expect(left(host)).to.deep.equal([1, 6]);
    }));

  it('removes failed releases first', () =>
    withRepository(async (host) => {
      await releases(host, 5, [1, 2, 5], 5);
      await host.run(pruneOf(3));
      expect(left(host)).to.deep.equal([1, 2, 5]);
    }));

  it('never removes the live one, the newest good beside it, or what it is told to keep', () =>
    withRepository(async (host) => {
      await releases(host, 6, [1, 2, 3], 4);
      await host.run(pruneOf(0, [sha(6), sha(8)]));
      expect(left(host)).to.deep.equal([3, 4, 6]);
    }));

  it('has nothing to remove where nothing is, and tidies a mirror of many packs or objects', () =>
    withRepository(async (host, origin) => {
      expect(await host.run(pruneOf(3))).to.deep.include({ result: { summary: 'nothing to remove' } });
      await host.run(fetchOf(origin.url, origin.commit({ a: '1' })));
      const objects = join(mirrorFolder(host.stateFolder, origin.url), 'objects');
      const prunes = async (): Promise<readonly boolean[]> => {
        host.commands.length = 0;
        expect(codeOf(await host.run(pruneOf(3)))).to.equal('succeeded');
        return host.commands.map(({ argv }) => argv.includes('gc'));
      };
      expect(await prunes()).to.deep.equal([]);
      for (let pack = 0; pack < 40; pack += 1) await writeFile(join(objects, `pack/pack-${pack}.pack`), '');
      expect(await prunes()).to.deep.equal([true]);
      await rm(join(objects, 'pack'), { recursive: true });
      expect(await prunes()).to.deep.equal([]);
      await mkdir(join(objects, '17'), { recursive: true });
      for (let loose = 0; loose < 20; loose += 1) await writeFile(join(objects, `17/${loose}`), '');
      expect(await prunes()).to.deep.equal([true]);
    }));

  it('takes a folder without a mark for the least worth keeping', () =>
    withRepository(async (host) => {
      await releases(host, 2, [], 2);
      await mkdir(release(host, sha(7)));
      await host.run(pruneOf(2));
      expect(left(host)).to.deep.equal([1, 2]);
    }));

  it('fails with the words of what could not be removed, and ends as it was stopped', () =>
    withRepository(async (host) => {
      await releases(host, 3, [], 3);
      const failed = await host.run(pruneOf(1), {
        command: async () => ({ ended: 'exited', exitCode: 1, output: 'rm: busy\n' }),
      });
      expect(codeOf(failed)).to.equal('prune_failed');
      expect(messageOf(failed)).to.equal('old releases could not be removed: rm: busy');
      const stopped = await host.run(pruneOf(1), {
        command: async () => ({ ended: 'stopped', reason: reason('cancelled', 'x') }),
      });
      expect(stopped.outcome).to.equal(Outcome.CANCELLED);
      await rm(host.target.appPath, { recursive: true });
      await writeFile(host.target.appPath, '');
      expect(codeOf(await host.run(pruneOf(1)))).to.equal('prune_failed');
    }));
});

describe('preflight', () => {
  const preflight: AnAction = { $case: 'preflight', value: { minFreeBytes: 1 } };

  it('makes the folder and finds nothing live on a new host', () =>
    withRepository(async (host) => {
      expect(
        await host.run(preflight, { policy: aPolicy(host.folder, { repositories: ['*'] }) }),
      ).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { previousRelease: '', previousProvenGood: false },
      });
      expect((await stat(host.target.appPath)).isDirectory()).to.equal(true);
    }));

  it('names what is live and whether it was proven good', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      await mkdir(release(host, COMMIT), { recursive: true });
      const mark = { commit: COMMIT, stagedAt: 'x', activatedAt: null, previous: null };
      await writeReleaseMark(host.target, { ...mark, provenGoodAt: null });
      await host.run(activateOf(COMMIT));
      expect(await host.run(preflight)).to.deep.include({
        result: { previousRelease: COMMIT, previousProvenGood: false },
      });
      await writeReleaseMark(host.target, { ...mark, provenGoodAt: 'y' });
      expect(await host.run(preflight)).to.deep.include({
        result: { previousRelease: COMMIT, previousProvenGood: true },
      });
    }));

  const problem = async (
    target: Partial<Target>,
    more: Parameters<typeof aHost>[2] = {},
    action: AnAction = preflight,
  ): Promise<StepEnd> =>
    withFolder(async (folder) =>
      (
        await aHost(folder, target, {
          policy: aPolicy(folder, {
            users: ['nobody', 'nobody-at-all'],
            units: ['checkout', 'checkout.socket'],
          }),
          ...more,
        })
      ).run(action),
    );

  it('refuses what the policy refuses', async () => {
    expect(codeOf(await problem({ appPath: '/srv/checkout' }))).to.equal('policy_refused');
  });

  it('says that the user is not there, or cannot be become', async () => {
    const target = aTarget('/srv', { user: 'nobody-at-all' });
    const asRoot = await hostProblem(target, null, { name: 'root', uid: 0, gid: 0, home: '/root' });
    expect(asRoot?.reason).to.include({
      code: 'unknown_user',
      message: 'there is no user nobody-at-all on this host',
    });
    const asCarol = await hostProblem(target, null, { name: 'carol', uid: 1000, gid: 1000, home: '/' });
    expect(asCarol?.reason.message).to.equal(
      'the agent runs as carol and cannot run anything as nobody-at-all',
    );
    expect(
      await hostProblem(target, null, { name: 'nobody-at-all', uid: 1000, gid: 1000, home: '/' }),
    ).to.equal(null);
    const nobody = aTarget('/srv', { user: 'nobody' });
    expect(await hostProblem(nobody, null, { name: 'root', uid: 0, gid: 0, home: '/root' })).to.equal(null);
  });

  it('makes the folder for a user that is there', () =>
    withFolder(async (folder) => {
      const own = ownUser();
      const user = own.uid === 0 ? 'nobody' : own.name;
      const host = await aHost(folder, { user }, { policy: aPolicy(folder, { users: [user] }) });
      expect(codeOf(await host.run(preflight))).to.equal('succeeded');
      expect((await stat(host.target.appPath)).uid).to.equal((await findUser(user))?.uid);
    }));

  it('says that the app_path is a file, or cannot be made', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      await writeFile(host.target.appPath, '');
      expect(messageOf(await host.run(preflight))).to.equal(
        `app_path ${host.target.appPath} is not a folder`,
      );
      const below = await aHost(folder, { appPath: join(host.target.appPath, 'below'), user: '' });
      const end = await below.run(preflight);
      expect(messageOf(end)).to.match(/below is not there and cannot be made: ENOTDIR/);
      expect(end)
        .to.have.nested.property('reason.hint')
        .that.matches(/^sudo install -d -o \S+ .*below$/);
    }));

  it('refuses a `current` that somebody else made: there would be no way back to it', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      const current = join(host.target.appPath, 'current');
      await mkdir(host.target.appPath, { recursive: true });
      await symlink('releases/20240131', current);
      const end = await host.run(preflight);
      expect(messageOf(end)).to.match(/current is not a link to a release of Fraisier/);
      expect(end).to.have.nested.property(
        'reason.hint',
        `move it away: mv ${current} ${current}.before-fraisier`,
      );
      await rm(current);
      await mkdir(current);
      expect(codeOf(await host.run(preflight))).to.equal('preflight_failed');
    }));

  it('says that there is no systemd, or no such unit', async () => {
    const { aSystemd } = await import('./a-step-context.js');
    const target = { systemdService: 'checkout' };
    expect(messageOf(await problem(target))).to.equal(
      'checkout.service cannot be restarted: there is no systemd on this host',
    );
    const missing = await problem(target, { systemd: aSystemd({}) });
    expect(codeOf(missing)).to.equal('unknown_unit');
    expect(messageOf(missing)).to.equal(
      'there is no unit checkout.service on this host (systemd says not-found)',
    );
    const silent = await problem(target, { systemd: aSystemd({}, { show: async () => ({}) }) });
    expect(messageOf(silent)).to.include('systemd did not answer');
    const there = await problem(target, {
      systemd: aSystemd({ 'checkout.service': { LoadState: 'loaded' } }),
    });
    expect(codeOf(there)).to.equal('succeeded');
    const noSocket = await problem(
      { ...target, systemdSocket: 'checkout.socket' },
      {
        systemd: aSystemd({ 'checkout.service': { LoadState: 'loaded' } }),
      },
    );
    expect(messageOf(noSocket)).to.match(/^there is no unit checkout.socket on this host/);
  });

  it('says that git is missing or broken', async () => {
    const { signal } = new AbortController();
    const end = { exitCode: null, stdout: '', stderr: '', problem: '', brokenOff: false };
    const ending = async (more: { exitCode?: number; problem?: string; stderr?: string }) =>
      (await gitProblem(signal, async () => ({ ...end, ...more })))?.reason.message;
    expect(await ending({ problem: 'spawn git ENOENT' })).to.equal('git is not installed on this host');
    const broken = 'git does not work on this host';
    expect(await ending({ problem: 'Command failed: git' })).to.equal(`${broken}: Command failed: git`);
    expect(await ending({ exitCode: 127, stderr: 'no libz\n' })).to.equal(`${broken}: no libz`);
    expect(await ending({ exitCode: 1 })).to.equal(`${broken}: it ended with 1`);
  });

  it('names the owner that a folder it cannot make should have', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'file'), '');
      const user = ownUser().name;
      const more = { policy: aPolicy(folder, { users: [user] }) };
      const host = await aHost(folder, { appPath: join(folder, 'file/app'), user }, more);
      expect(await host.run(preflight)).to.have.nested.property(
        'reason.hint',
        `sudo install -d -o ${user} ${folder}/file/app`,
      );
    }));

  it('does not guess how much space there is', () =>
    withFolder(async (folder) => {
      await symlink('loop', join(folder, 'loop'));
      expect(await freeBytes(join(folder, 'not/there/yet'))).to.be.greaterThan(0);
      expect(await freeBytes(join(folder, 'loop')).catch((error: unknown) => error)).to.have.property(
        'code',
        'ELOOP',
      );
    }));

  it('says how much space is missing, and where', async () => {
    const end = await problem({}, {}, { $case: 'preflight', value: { minFreeBytes: 2 ** 60 } });
    expect(codeOf(end)).to.equal('disk_full');
    expect(messageOf(end)).to.match(/^\d+ MiB free at .*app, and 1099511627776 MiB wanted$/);
  });
});
