import { execFileSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { mirrorFolder } from '../../../agent/steps/git.js';
import type { CommandEnd, StepContext } from '../../../agent/steps/step.js';
import { reason } from '../../../proto/error-codes.js';
import { withFolder } from '../exec/a-spec.js';
import { fetchOf, reasonOf, stageOf } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import type { TestRepository } from './a-repository.js';
import { aHost } from './a-step-context.js';
import type { TestHost } from './a-step-context.js';

const PARTIAL = { filter: 'blob:none' };

async function withOrigin(use: (host: TestHost, origin: TestRepository) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const origin = aRepository(folder);
    origin.git('config', 'uploadpack.allowFilter', 'true');
    origin.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
    await use(await aHost(folder, { repository: origin.url }), origin);
  });
}

/** How many objects of all history the mirror lacks. */
function missing(host: TestHost, origin: TestRepository): number {
  const args = [
    '--git-dir',
    mirrorFolder(host.stateFolder, origin.url),
    'rev-list',
    '--objects',
    '--all',
    '--missing=print',
  ];
  return execFileSync('git', args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith('?')).length;
}

describe('a partial mirror', () => {
  it('holds the files of what is deployed, none of the history, and needs no network to stage it', () =>
    withOrigin(async (host, origin) => {
      origin.commit({ a: 'old', b: 'old too' });
      const commit = origin.commit({ a: 'new', 'c/d': 'new too' });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL)))).to.equal('');
      expect(missing(host, origin)).to.equal(1);
      const next = origin.commit({ a: 'newest' });
      // What the plan says of it later is of no consequence: a mirror stays what it is.
      expect(reasonOf(await host.run(fetchOf(origin.url, next)))).to.equal('');
      await rm(origin.folder, { recursive: true });
      for (const one of [next, commit]) expect(reasonOf(await host.run(stageOf(one)))).to.equal('');
      expect(await readFile(join(host.target.appPath, 'releases', commit, 'c/d'), 'utf8')).to.equal(
        'new too',
      );
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL)))).to.equal('');
    }));

  it('falls back to all branches and tags, still without their files', () =>
    withOrigin(async (host, origin) => {
      origin.commit({ a: '1' });
      const commit = origin.commit({ a: '2' });
      origin.commit({ a: '3' });
      const command: StepContext['command'] = async (asked) =>
        asked.argv.some((word) => word.startsWith(`+${commit}`))
          ? { ended: 'exited', exitCode: 128, output: 'fatal: no such remote ref' }
          : host.real(asked);
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL), { command }))).to.equal('');
      expect(missing(host, origin)).to.equal(2);
    }));

  it('is not made of one that is there whole', () =>
    withOrigin(async (host, origin) => {
      const first = origin.commit({ a: '1' });
      expect(reasonOf(await host.run(fetchOf(origin.url, first)))).to.equal('');
      const second = origin.commit({ a: '2' });
      expect(reasonOf(await host.run(fetchOf(origin.url, second, PARTIAL)))).to.equal('');
      expect(missing(host, origin)).to.equal(0);
      expect(
        await readFile(join(mirrorFolder(host.stateFolder, origin.url), 'config'), 'utf8'),
      ).to.not.include('partial');
    }));

  it('says what it could not fetch, does not stage half of it, and has it at the next try', () =>
    withOrigin(async (host, origin) => {
      const commit = origin.commit({ a: '1' });
      const failing =
        (end: CommandEnd): StepContext['command'] =>
        async (asked) =>
          asked.argv.some((word) => word.includes('rev-list --objects')) ? end : host.real(asked);
      const away = failing({ ended: 'exited', exitCode: 128, output: 'fatal: the server went away' });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL), { command: away }))).to.equal(
        `fetch_failed: git could not fetch from ${origin.url}: fatal: the server went away`,
      );
      const staged = await host.run(stageOf(commit));
      expect(reasonOf(staged)).to.match(/^stage_failed: git (?:exited with status 128|was ended by SIGPIPE)/);
      const stopped = failing({ ended: 'stopped', reason: reason('cancelled', 'enough') });
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL), { command: stopped }))).to.equal(
        'cancelled: enough',
      );
      expect(reasonOf(await host.run(fetchOf(origin.url, commit, PARTIAL)))).to.equal('');
      expect(reasonOf(await host.run(stageOf(commit)))).to.equal('');
    }));
});
