import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { releasesInUse } from '../../../agent/steps/releases-in-use.js';
import { withFolder } from '../exec/a-spec.js';
import { aHost } from './a-step-context.js';

const RELEASES = ['a', 'b', 'c'].map((letter) => letter.repeat(40));
const [A = '', B = '', C = ''] = RELEASES;
const prune = { $case: 'prune', value: { keep: 1, keepCommits: [C] } } as const;

describe('pruning releases in which processes work', () => {
  for (const [how, argv, cwd] of [
    ['has its folder there', () => ['sleep', '60'], (release: string) => release],
    ['was called with a file of it', (release: string) => ['tail', '-f', join(release, 'log')], () => '/'],
    ['is a program of it', (release: string) => [join(release, 'sleep'), '60'], () => '/'],
  ] as const) {
    it(`keeps one when a process ${how}, and removes it when that has ended`, () =>
      withFolder(async (folder) => {
        const host = await aHost(folder);
        const releases = join(folder, 'app/releases');
        for (const commit of RELEASES) {
          await mkdir(join(releases, commit), { recursive: true });
          await writeFile(join(releases, commit, 'log'), '');
          await copyFile('/bin/sleep', join(releases, commit, 'sleep'));
          await writeReleaseMark(host.target, {
            commit,
            stagedAt: '1',
            activatedAt: null,
            provenGoodAt: null,
            previous: null,
          });
        }
        const used = join(releases, A);
        const [program = '', ...args] = argv(used);
        const child = spawn(program, args, { cwd: cwd(used), stdio: 'ignore' });
        try {
          await once(child, 'spawn');
          const end = await host.run(prune);
          expect(end).to.have.nested.property(
            'result.summary',
            `removed ${B}; kept ${A}, in which processes work`,
          );
          expect(host.notes[0]?.facts).to.deep.equal({ release: A, pid: String(child.pid) });
          expect((await readdir(releases)).filter((name) => !name.includes('.'))).to.deep.equal([A, C]);
        } finally {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }
        expect(await host.run(prune)).to.have.nested.property('result.summary', `removed ${A}`);
      }));
  }

  it('looks at nothing when there is nothing to remove', async () => {
    expect((await releasesInUse({ appPath: '/nowhere' }, [], new Date())).size).to.equal(0);
    expect((await releasesInUse({ appPath: '/nowhere' }, [A], new Date())).size).to.equal(0);
  });
});
