import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkerOf, languageOfProgram, lookAtScript } from '../../../agent/steps/interpreter.js';
import { isSingleCommand } from '../../../agent/step-context.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { withFolder } from '../exec/a-spec.js';
import { aHost, aPolicy, type TestHost } from './a-step-context.js';

const COMMIT = 'c'.repeat(40);

/** A host on which a release with these files is staged; a file with `+x` before its text is executable. */
async function withRelease(
  files: Readonly<Record<string, string>>,
  test: (host: TestHost, release: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder);
    const release = join(folder, 'app/releases', COMMIT);
    await mkdir(join(release, 'jobs'), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      const executable = text.startsWith('+x');
      await writeFile(join(release, path), executable ? text.slice(2) : text);
      if (executable) await chmod(join(release, path), 0o755);
    }
    await test(host, release);
  });
}

const look = (path: string) => ({ $case: 'script', value: { path, commit: COMMIT } }) as const;
const run = (path: string) => ({ $case: 'script', value: { path, commit: COMMIT, run: true } }) as const;

function expectInvalid(end: StepEnd, words: RegExp): void {
  expect(end).to.have.nested.property('reason.code', 'script_invalid');
  if ('reason' in end) expect(end.reason.message).to.match(words);
}

function summaryOf(end: StepEnd): string | undefined {
  expect(end.outcome, JSON.stringify(end)).to.equal('OUTCOME_SUCCEEDED');
  return 'result' in end ? end.result?.summary : undefined;
}

describe('looking at the script of an etl', () => {
  const good: readonly (readonly [file: string, text: string, language: string])[] = [
    ['run.py', 'print("hello")\n', 'Python'],
    ['run.sh', 'echo hello\n', 'shell'],
    ['run.bash', 'echo hello\n', 'bash'],
    ['run.mjs', 'export const one = 1;\n', 'JavaScript'],
    ['run.cjs', 'module.exports = 1;\n', 'JavaScript'],
    ['run', '+x#!/bin/sh\necho hello\n', 'shell'],
    ['run', '+x#!/usr/bin/env -S node --no-warnings\nconsole.log(1);\n', 'JavaScript'],
  ];
  for (const [file, text, language] of good) {
    it(`reads ${file} through as ${language}${text.startsWith('+x') ? ` by its first line` : ''}`, () =>
      withRelease({ [file]: text }, async (host) => {
        expect(summaryOf(await host.run(look(file)))).to.equal(`${file} parses as ${language}`);
        expect(host.notes).to.deep.equal([]);
      }));
  }

  it('runs nothing of it and writes nothing beside it', () =>
    withRelease({ 'jobs/run.py': 'open("ran", "w")\n' }, async (host, release) => {
      await host.run(look('jobs/run.py'));
      const { readdir } = await import('node:fs/promises');
      expect(await readdir(join(release, 'jobs'))).to.deep.equal(['run.py']);
    }));

  it('says what is wrong in it', () =>
    withRelease({ 'run.py': 'def broken(:\n', 'run.sh': 'if true; then\n' }, async (host) => {
      expectInvalid(
        await host.run(look('run.py')),
        /^reading run\.py through as Python exited with status 1/,
      );
      expectInvalid(await host.run(look('run.sh')), /^reading run\.sh through as shell exited with status 2/);
    }));

  it('finds it below the root of a monorepo', () =>
    withRelease({ 'jobs/run.py': '\n' }, async (host) => {
      const target = { ...host.target, root: 'jobs' };
      expect(summaryOf(await host.run(look('run.py'), { target }))).to.equal('run.py parses as Python');
    }));

  it('refuses one that is not there, that is a folder, or that nothing says how to start', () =>
    withRelease({ 'run.R': '1\n', 'run.txt': 'x\n' }, async (host) => {
      expectInvalid(await host.run(look('absent.py')), /absent\.py is not in the commit c{40}$/);
      expectInvalid(await host.run(look('run.R/inside.py')), /is not in the commit/);
      expectInvalid(await host.run(look('jobs')), /jobs is not a file/);
      expectInvalid(await host.run(look('run.R')), /run\.R cannot be started: it is not executable/);
      expectInvalid(await host.run(run('run.txt')), /run\.txt cannot be started/);
    }));

  it('refuses a link that leads out of the release, and takes one to what is shared', () =>
    withRelease({}, async (host, release) => {
      await symlink('/etc/hostname', join(release, 'out.sh'));
      expectInvalid(await host.run(look('out.sh')), /leads out of the release/);
      const shared = join(host.folder, 'app/shared');
      await mkdir(shared);
      await writeFile(join(shared, 'run.sh'), 'true\n');
      await symlink('../../shared/run.sh', join(release, 'run.sh'));
      summaryOf(await host.run(look('run.sh')));
    }));

  it('says that it did not read through what has no known language, or no interpreter here', () =>
    withRelease(
      { tool: '+x#!/usr/bin/Rscript\n1\n', bare: '+x\u007fELF', 'run.rb': 'puts 1\n' },
      async (host) => {
        expect(summaryOf(await host.run(look('tool')))).to.equal('not read through');
        expect(summaryOf(await host.run(look('bare')))).to.equal('not read through');
        const missing: Partial<StepContext> = {
          command: async () => ({ ended: 'not_found', message: 'ruby: no such program' }),
        };
        expect(summaryOf(await host.run(look('run.rb'), missing))).to.equal('not read through');
        expect(host.notes.map(({ message }) => message)).to.deep.equal([
          'the script was not read through: what /usr/bin/Rscript takes is not known here',
          'the script was not read through: what bare takes is not known here',
          'the script was not read through: ruby: no such program',
        ]);
      },
    ));

  it('leaves out what would run parts of it, unless the policy lists that', () =>
    withRelease({ 'run.pl': 'BEGIN { print "begun\\n" } 1;\n' }, async (host) => {
      expect(summaryOf(await host.run(look('run.pl')))).to.equal('not read through');
      expect(host.notes[0]?.message).to.contain('the policy does not list "perl -c run.pl"');
      expect(host.commands).to.deep.equal([]);
      const policy = aPolicy(host.folder, { commands: ['perl -c *'] });
      const command = async () => ({ ended: 'exited', exitCode: 0, output: '' }) as const;
      expect(summaryOf(await host.run(look('run.pl'), { policy, command }))).to.equal(
        'run.pl parses as Perl',
      );
    }));

  it('is done as the user of the fraise', () =>
    withRelease({ 'run.py': '\n' }, async (host) => {
      const asked: (string | undefined)[] = [];
      const command: StepContext['command'] = async ({ user }) => {
        asked.push(user);
        return { ended: 'exited', exitCode: 0, output: '' };
      };
      await host.run(look('run.py'), { command, target: { ...host.target, user: 'etl' } });
      expect(asked).to.deep.equal(['etl']);
    }));

  it('throws what the disk throws', () =>
    withRelease({}, async (host) => {
      const thrown = await host.run(look(`${'x'.repeat(300)}.py`)).catch((error: unknown) => error);
      expect(thrown).to.have.property('code', 'ENAMETOOLONG');
    }));
});

describe('running the script of an etl', () => {
  it('starts it by itself where it is executable, else by what runs it, in the release', () =>
    withRelease(
      { 'run.sh': 'echo "$FRAISIER_COMMIT" >said\n', tool: '+x#!/bin/sh\necho tool >said\n' },
      async (host, release) => {
        const { readFile } = await import('node:fs/promises');
        const end = await host.run(run('run.sh'));
        expect('result' in end && end.result?.exitCode).to.equal(0);
        expect(await readFile(join(release, 'said'), 'utf8')).to.equal(`${COMMIT}\n`);
        await host.run(run('tool'));
        expect(await readFile(join(release, 'said'), 'utf8')).to.equal('tool\n');
        expect(host.commands.map(({ argv }) => argv)).to.deep.equal([
          ['sh', join(release, 'run.sh')],
          [join(release, 'tool')],
        ]);
      },
    ));

  it('ends as it ends', () =>
    withRelease({ 'run.sh': 'exit 3\n' }, async (host) => {
      const end = await host.run(run('run.sh'));
      expect(end).to.have.nested.property('reason.code', 'command_failed');
      expect(end).to.have.nested.property('reason.message', 'the script run.sh exited with status 3');
      expect(end).to.have.nested.property('result.exitCode', 3);
    }));

  it('is the only effect of its step, so that a later agent can take it up', () => {
    const step = (action: ReturnType<typeof run> | ReturnType<typeof look>) =>
      Step.fromPartial({ name: 's', action });
    expect([isSingleCommand(step(run('a'))), isSingleCommand(step(look('a')))]).to.deep.equal([true, false]);
  });
});

describe('what a script is written in', () => {
  it('is known by the program that runs it', () => {
    const names = ['/usr/bin/python3.11', 'bash', 'dash', 'nodejs', 'ruby3.1', 'perl', 'php8.2', 'vim'];
    expect(names.map((name) => languageOfProgram(name)?.name ?? null)).to.deep.equal([
      'Python',
      'bash',
      'shell',
      'JavaScript',
      'Ruby',
      'Perl',
      'PHP',
      null,
    ]);
  });

  it('is read from the first line, of which env is not the program', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'run.py');
      for (const [line, shebang] of [
        ['#!/usr/bin/env python3', 'python3'],
        ['#! /usr/bin/python3 -u', '/usr/bin/python3'],
        ['#!/usr/bin/env -S A=b', ''],
        ['print(1)', ''],
        ['', ''],
      ] as const) {
        await writeFile(file, line);
        expect(await lookAtScript(file)).to.deep.include({ shebang, executable: false });
      }
    }));

  it('is checked by its own interpreter, but never by one that came with the code', () =>
    withFolder(async (folder) => {
      const python = languageOfProgram('python3');
      if (python === null) throw new Error('unknown');
      await writeFile(join(folder, 'python3'), '');
      await symlink('/bin/sh', join(folder, 'sh'));
      const of = (shebang: string) => checkerOf({ shebang }, python, folder);
      expect(await of('')).to.equal('python3');
      expect(await of('python3.12')).to.equal('python3.12');
      expect(await of('/nowhere/python3')).to.equal('python3');
      expect(await of(join(folder, 'python3'))).to.equal('python3');
      expect(await of(join(folder, 'sh'))).to.match(/^\/(?:usr\/)?bin\//);
    }));
});
