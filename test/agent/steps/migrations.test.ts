import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { program, withFolder } from '../exec/a-spec.js';
import { aHost } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

async function withRelease(
  use: (host: TestHost, release: string) => Promise<void>,
  target: (folder: string) => Partial<Target> = () => ({}),
): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder, target(folder));
    const release = join(host.target.appPath, 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    await use(host, release);
  });
}

function reasonOf(end: StepEnd): { code: string; message: string; facts: Record<string, string> } {
  return end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;
}

const logOf = (host: TestHost, step: string): Promise<string> =>
  readFile(join(host.stateFolder, `runs/r_1-${step}-1-1.log`), 'utf8');

describe('migration_status', () => {
  const statusOf = (argv: string[], expectation?: { revision: string; pending: string[] }): AnAction => ({
    $case: 'migrationStatus',
    value: { argv, user: '', commit: COMMIT, expect: expectation },
  });
  const printing = (text: string): string[] => ['sh', '-c', `printf '%s' '${text}'; echo 'a warning' >&2`];

  it('reads the last line of standard output, whatever stands before it', () =>
    withRelease(async (host) => {
      const end = await host.run(
        statusOf(printing('hello\n{"revision": "41", "pending": ["42", "43"]}\n\n')),
      );
      expect(end).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: {
          migration: {
            revision: '41',
            pending: ['42', '43'],
            irreversible: [],
            appliedDigest: '',
            moment: 'MOMENT_UNSPECIFIED',
          },
          exitCode: 0,
        },
      });
      expect(host.log.join('\n')).to.include('hello');
      expect(await logOf(host, 's1')).to.equal('a warning\n');
    }));

  it('accepts exactly what is expected', () =>
    withRelease(async (host) => {
      const argv = printing('{"revision": "41", "pending": ["42"]}');
      expect((await host.run(statusOf(argv, { revision: '41', pending: ['42'] }))).outcome).to.equal(
        Outcome.SUCCEEDED,
      );
      const end = await host.run(statusOf(argv, { revision: '', pending: [] }));
      expect(reasonOf(end).code).to.equal('migrations_changed');
      expect(reasonOf(end).message).to.equal(
        'the database is not as the plan expects it: expected revision (none) with nothing pending, found revision 41 with 42 pending',
      );
      expect(end).to.have.nested.property('result.migration.revision', '41');
    }));

  it('says what the command must print', () =>
    withRelease(async (host) => {
      const end = await host.run(statusOf(['echo', 'up to date']));
      expect(reasonOf(end).code).to.equal('migration_status_unreadable');
      expect(reasonOf(end).facts).to.deep.equal({ output: 'up to date' });
      expect(reasonOf(await host.run(statusOf(['true']))).message).to.include(
        'its last line is not a JSON object',
      );
    }));

  it('runs further commands, reads the tool’s own words and its files in the release', () =>
    withRelease(async (host, release) => {
      await mkdir(join(release, 'migrations/folder.js'), { recursive: true });
      await writeFile(join(release, 'migrations/2.js'), 'exports.up = 1');
      const list = (pending: string): AnAction => ({
        $case: 'migrationStatus',
        value: {
          argv: ['true'],
          further: [{ words: printing('') }],
          tool: 'knex',
          commit: COMMIT,
          ...(pending === ''
            ? {}
            : {
                argv: printing(
                  `No Completed Migration files Found.\nFound 1 Pending Migration file/files.\n${pending}\n`,
                ),
              }),
        },
      });
      const end = await host.run(list('2.js'));
      expect(end).to.have.deep.nested.property('result.migration.irreversible', ['2.js']);
      expect(host.commands).to.have.length(2);
      expect(reasonOf(await host.run(list('folder.js'))).message).to.include(
        'folder.js is not in migrations',
      );
      expect(reasonOf(await host.run(list(''))).code).to.equal('migration_status_unreadable');
    }));

  it('says which migrations the database has and the release has not', () =>
    withRelease(async (host) => {
      const errors = "ERROR [alembic] Can't locate revision identified by 'a3'\n";
      const failing = {
        command: async () => ({ ended: 'exited' as const, exitCode: 1, output: '', errors }),
      };
      const end = await host.run(statusOf(['alembic', 'current']), failing);
      expect(reasonOf(end).code).to.equal('migrations_changed');
      expect(reasonOf(end).message).to.equal(
        'the database has migrations that this release does not have: a3',
      );
    }));

  it('says what progress it would have taken', () =>
    withRelease(async (host) => {
      const look = async (more: object): Promise<string> => {
        const expected = { revision: '41', pending: ['42', '43'], appliedDigest: 'f'.repeat(64) };
        const value = {
          argv: printing('{"revision": "9", "pending": ["9"]}'),
          commit: COMMIT,
          expect: expected,
          ...more,
        };
        return reasonOf(await host.run({ $case: 'migrationStatus', value })).message;
      };
      expect(await look({ progress: true })).to.include(
        'revision 41 (set ffffffff) with 42, 43 pending, or some of that applied',
      );
      expect(await look({ applied: 1 })).to.include('that 42 and nothing else was applied since');
    }));

  it('fails when the command does', () =>
    withRelease(async (host) => {
      expect(reasonOf(await host.run(statusOf(['false']))).code).to.equal('command_failed');
      expect(reasonOf(await host.run(statusOf(['no-such-program']))).code).to.equal('command_not_found');
    }));
});

describe('migrate', () => {
  const migrateOf = (
    argv: string[],
    direction: 'DIRECTION_UP' | 'DIRECTION_DOWN' = 'DIRECTION_UP',
  ): AnAction => ({
    $case: 'migrate',
    value: { direction, argv, user: '', commit: COMMIT, environment: { FRAISIER_REVISION: '41' } },
  });

  it('runs one command in the tree of its commit, told where to go back to', () =>
    withRelease(async (host, release) => {
      const end = await host.run(
        migrateOf(['sh', '-c', 'echo "$FRAISIER_REVISION $FRAISIER_COMMIT" > ran'], 'DIRECTION_DOWN'),
      );
      expect(end).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { exitCode: 0 } });
      expect(await readFile(join(release, 'ran'), 'utf8')).to.equal(`41 ${COMMIT}\n`);
      expect(host.commands).to.have.length(1);
    }));

  it('keeps the host’s own options beside its limits', () =>
    withRelease(
      async (host, release) => {
        await writeFile(host.target.environmentFile, 'PGOPTIONS="-c search_path=shop"\n');
        const argv = ['sh', '-c', 'echo "$PGOPTIONS" > ran'];
        const value = {
          direction: 'DIRECTION_UP' as const,
          argv,
          commit: COMMIT,
          environment: { PGOPTIONS: '-c lock_timeout=5' },
        };
        await host.run({ $case: 'migrate', value });
        expect(await readFile(join(release, 'ran'), 'utf8')).to.equal(
          '-c search_path=shop -c lock_timeout=5\n',
        );
      },
      (folder) => ({ environmentFile: join(folder, 'env') }),
    ));

  it('fails when the tool says so, or is not there', () =>
    withRelease(async (host) => {
      expect(reasonOf(await host.run(migrateOf(['false']))).code).to.equal('migration_failed');
      expect(reasonOf(await host.run(migrateOf(['no-such-tool']))).code).to.equal('command_not_found');
    }));

  it('is interrupted when it was broken off: how far it came is not known', () =>
    withRelease(async (host) => {
      const killed = await host.run(migrateOf([program('dies-by-signal.sh'), 'KILL']));
      expect(killed.outcome).to.equal(Outcome.INTERRUPTED);
      expect(reasonOf(killed).message).to.equal(
        'the outcome of the migration is not known: it was ended by SIGKILL',
      );
      const stopped = await host.run(migrateOf(['x'], 'DIRECTION_DOWN'), {
        command: async () => ({ ended: 'stopped', reason: reason('timed_out', 'it took too long') }),
      });
      expect(stopped.outcome).to.equal(Outcome.INTERRUPTED);
      expect(reasonOf(stopped).message).to.equal(
        'the outcome of undoing the migration is not known: it was stopped (it took too long)',
      );
    }));
});

describe('backup', () => {
  const backupOf = (shell: string, verify?: string): AnAction => ({
    $case: 'backup',
    value: {
      command: { shell, commit: COMMIT },
      ...(verify === undefined ? {} : { verify: { shell: verify, commit: COMMIT } }),
    },
  });

  it('is verified by the file whose path it printed last', () =>
    withRelease(async (host, release) => {
      const end = await host.run(backupOf('echo dumping; echo data > dump; echo "$PWD/dump"'));
      expect(end).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { exitCode: 0, summary: `${join(release, 'dump')}, 5 bytes` },
      });
      expect(host.log.join('\n')).to.include('dumping');
    }));

  it('is not believed without a new file that has something in it', () =>
    withRelease(async (host, release) => {
      await writeFile(join(release, 'old'), 'data');
      await utimes(join(release, 'old'), new Date(0), new Date(0));
      const cases: [string, RegExp][] = [
        ['true', /is not the path of a file/],
        ['echo done', /is not the path of a file/],
        ['echo "$PWD/none"', /none is not there/],
        ['echo "$PWD"', /is not there/],
        ['touch empty; echo "$PWD/empty"', /empty is empty/],
        ['echo "$PWD/old"', /old was not written by this backup, but before it/],
      ];
      for (const [shell, why] of cases) {
        const end = await host.run(backupOf(shell));
        expect(reasonOf(end).code, shell).to.equal('backup_failed');
        expect(reasonOf(end).message, shell).to.match(why);
      }
    }));

  it('is verified by the command that is there for it', () =>
    withRelease(async (host) => {
      expect((await host.run(backupOf('true', 'true'))).outcome).to.equal(Outcome.SUCCEEDED);
      const end = await host.run(backupOf('true', 'echo torn; exit 3'));
      expect(reasonOf(end).message).to.match(
        /^no backup, no migration: the command ".*" exited with status 3: torn/,
      );
    }));

  it('fails with its own reason, whatever kept it', () =>
    withRelease(async (host) => {
      expect(reasonOf(await host.run(backupOf('exit 2'))).code).to.equal('backup_failed');
      const missing: AnAction = {
        $case: 'backup',
        value: { command: { argv: ['no-such-dump'], commit: COMMIT } },
      };
      expect(reasonOf(await host.run(missing)).code).to.equal('backup_failed');
      const stopped = async (why: ReturnType<typeof reason>): Promise<StepEnd> =>
        host.run(backupOf('x'), { command: async () => ({ ended: 'stopped', reason: why }) });
      expect(reasonOf(await stopped(reason('timed_out', 'too long'))).code).to.equal('timed_out');
      expect((await stopped(reason('cancelled', 'enough'))).outcome).to.equal(Outcome.CANCELLED);
      expect(reasonOf(await host.run({ $case: 'backup', value: {} })).message).to.equal(
        'the plan does not say how to make the backup',
      );
    }));
});
