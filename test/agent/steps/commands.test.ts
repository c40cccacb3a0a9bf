import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseMigrationStatus } from '../../../agent/steps/migration-status.js';
import type { StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { program, until, withFolder, writeExecutable } from '../exec/a-spec.js';
import { aHost, aSystemd } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

async function withRelease(
  use: (host: TestHost, release: string) => Promise<void>,
  target: Partial<Target> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder, target);
    const release = join(host.target.appPath, 'releases', COMMIT);
    await mkdir(release, { recursive: true });
    await use(host, release);
  });
}

const commandOf = (argv: string[], more: object = {}): AnAction => ({
  $case: 'command',
  value: { argv, shell: '', user: '', commit: COMMIT, ...more },
});

function reasonOf(end: StepEnd): { code: string; message: string; facts: Record<string, string> } {
  return end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;
}

const logOf = (host: TestHost, step: string): Promise<string> =>
  readFile(join(host.stateFolder, `runs/r_1-${step}-1-1.log`), 'utf8');

describe('command', () => {
  it('runs in the release with what it needs to know, and the host’s environment file', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'env'), 'PORT=8123\nDATABASE_URL="postgres://x y"\n');
      const host = await aHost(folder, { environmentFile: join(folder, 'env') });
      const release = join(host.target.appPath, 'releases', COMMIT);
      await mkdir(release, { recursive: true });
      const end = await host.run(commandOf([program('prints-surroundings.sh'), 'a b']));
      expect(end).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { exitCode: 0 } });
      const log = await logOf(host, 's1');
      for (const line of [
        release,
        'PORT=8123',
        'DATABASE_URL=postgres://x y',
        'FRAISIER_FRAISE=checkout',
        'FRAISIER_ENVIRONMENT=production',
        `FRAISIER_COMMIT=${COMMIT}`,
        `FRAISIER_RELEASE=${release}`,
        'argument <a b>',
        'to standard error',
      ]) {
        expect(log.split('\n')).to.include(line);
      }
    }));

  it('gives a shell only the string that the user wrote for one', () =>
    withRelease(async (host, release) => {
      expect(
        (await host.run(commandOf([], { shell: 'echo "$FRAISIER_COMMIT" > out && exit 0' }))).outcome,
      ).to.equal(Outcome.SUCCEEDED);
      expect(await readFile(join(release, 'out'), 'utf8')).to.equal(`${COMMIT}\n`);
    }));

  it('fails with its exit status and its own name', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf([program('exits-with.sh'), '255']));
      expect(reasonOf(end).code).to.equal('command_failed');
      expect(reasonOf(end).message).to.match(/^the command ".*exits-with\.sh 255" exited with status 255/);
      expect(end).to.have.nested.property('result.exitCode', 255);
      const long = await host.run(commandOf([], { shell: `false ${'x'.repeat(200)}` }));
      expect(reasonOf(long).message).to.match(/^the command "false x{91}…" exited with status 1/);
    }));

  it('names the last line of what it printed, where that is known', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['make']), {
        command: async () => ({ ended: 'exited', exitCode: 2, output: 'one\nmake: *** no rule\n\n' }),
      });
      expect(reasonOf(end).message).to.equal('the command "make" exited with status 2: make: *** no rule');
      expect(reasonOf(end).facts).to.deep.equal({ exit_code: '2', output: 'make: *** no rule' });
    }));

  it('fails with the signal it died by, or because it is not there', () =>
    withRelease(async (host) => {
      const died = reasonOf(await host.run(commandOf([program('dies-by-signal.sh'), 'SEGV'])));
      expect(died.message).to.match(/was ended by SIGSEGV$/);
      expect(died.facts).to.deep.equal({ signal: 'SIGSEGV' });
      const missing = reasonOf(await host.run(commandOf(['no-such-program'])));
      expect(missing.code).to.equal('command_not_found');
      expect(missing.message).to.match(
        /^the command "no-such-program" could not be started: no-such-program: no such program in/,
      );
    }));

  it('says so when the disk is full', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['npm', 'ci']), {
        command: async () => ({
          ended: 'exited',
          exitCode: 228,
          output: 'npm ERR! ENOSPC: no space left on device, write\n',
        }),
      });
      expect(reasonOf(end).code).to.equal('disk_full');
    }));

  it('is cancelled, timed out or interrupted by others, never failed', () =>
    withRelease(async (host) => {
      const endWith = async (why: ReturnType<typeof reason>, ended: 'stopped' | 'unknown'): Promise<string> =>
        (await host.run(commandOf(['x']), { command: async () => ({ ended, reason: why }) })).outcome;
      expect(await endWith(reason('cancelled', 'x'), 'stopped')).to.equal(Outcome.CANCELLED);
      expect(await endWith(reason('timed_out', 'x'), 'stopped')).to.equal(Outcome.FAILED);
      expect(await endWith(reason('outcome_unknown', 'x'), 'unknown')).to.equal(Outcome.INTERRUPTED);
    }));

  it('is stopped with all it started when the step is', () =>
    withRelease(async (host) => {
      const stop = new AbortController();
      const run = host.run(commandOf([program('ignores-sigterm.sh')]), { signal: stop.signal });
      await until('it is ready', async () => (await logOf(host, 's1').catch(() => '')).includes('ready'));
      stop.abort(reason('cancelled', 'somebody cancelled it'));
      expect(await run).to.deep.equal({
        outcome: Outcome.CANCELLED,
        reason: reason('cancelled', 'somebody cancelled it'),
      });
    }));

  it('runs as the step’s user before the target’s', () =>
    withRelease(
      async (host) => {
        await host.run(commandOf(['true'], { user: 'builder' }));
        await host.run(commandOf(['true']));
        expect(host.commands.map(({ user }) => user)).to.deep.equal(['builder', 'checkout']);
      },
      { user: 'checkout' },
    ));
});

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
        result: { migration: { revision: '41', pending: ['42', '43'], irreversible: [] }, exitCode: 0 },
      });
      expect(host.log.join('\n')).to.include('hello');
      expect(await logOf(host, 's1')).to.equal('a warning\n');
    }));

  it('takes null for none applied yet', () => {
    expect(parseMigrationStatus('{"revision": null, "pending": []}')).to.deep.equal({
      revision: '',
      pending: [],
      irreversible: [],
    });
  });

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

  const unreadable: [string, string][] = [
    ['', 'its last line is not a JSON object'],
    ['{"revision": "1", "pending": []}\ndone', 'its last line is not a JSON object'],
    ['[]', 'its last line is not a JSON object'],
    ['null', 'its last line is not a JSON object'],
    ['{"pending": []}', '"revision" must be a text or null'],
    ['{"revision": 41, "pending": []}', '"revision" must be a text or null'],
    ['{"revision": "41"}', '"pending" must be a list of texts that are not empty'],
    ['{"revision": "41", "pending": [42]}', '"pending" must be a list of texts that are not empty'],
    ['{"revision": "41", "pending": [""]}', '"pending" must be a list of texts that are not empty'],
    ['{"revision": "41", "pending": ["a", "a"]}', '"pending" names a migration twice'],
    ['{"revision": "41", "pending": [], "head": 1}', 'it has the key "head", which has no meaning'],
  ];
  for (const [output, why] of unreadable) {
    it(`does not guess what ${JSON.stringify(output)} means`, () => {
      expect(parseMigrationStatus(output)).to.equal(why);
    });
  }

  it('says what the command must print', () =>
    withRelease(async (host) => {
      const end = await host.run(statusOf(['echo', 'up to date']));
      expect(reasonOf(end).code).to.equal('migration_status_unreadable');
      expect(reasonOf(end).facts).to.deep.equal({ output: 'up to date' });
      expect(reasonOf(await host.run(statusOf(['true']))).message).to.include(
        'its last line is not a JSON object',
      );
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

describe('restart', () => {
  const restartUnit = (unit: string): AnAction => ({
    $case: 'restart',
    value: { how: { $case: 'systemdService', value: unit } },
  });

  it('restarts the unit', () =>
    withRelease(async (host) => {
      const systemd = aSystemd({ 'checkout.service': { ActiveState: 'active' } });
      const end = await host.run(restartUnit('checkout'), { systemd });
      expect(end).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { summary: 'checkout.service is active' },
      });
      expect(systemd.asked).to.deep.equal(['restart checkout.service']);
    }));

  it('shows the unit’s last lines when it does not start', () =>
    withRelease(async (host) => {
      const failing = aSystemd(
        {},
        {
          restart: async () => ({
            ended: 'exited',
            exitCode: 1,
            output: 'Job for checkout.service failed.\n',
          }),
        },
      );
      const end = await host.run(restartUnit('checkout.service'), { systemd: failing });
      expect(reasonOf(end).code).to.equal('restart_failed');
      expect(reasonOf(end).message).to.equal(
        'checkout.service did not start; its last words: last words of checkout.service',
      );
      expect(host.log).to.deep.equal([
        'Job for checkout.service failed.',
        'the last lines of checkout.service:\nline of checkout.service\nlast words of checkout.service',
      ]);
    }));

  it('quotes the unit before what systemd says of it', () =>
    withRelease(async (host) => {
      const words = async (journal: string): Promise<string> => {
        const systemd = aSystemd(
          { 'checkout.service': { ActiveState: 'failed' } },
          { journalTail: async () => journal },
        );
        return reasonOf(await host.run(restartUnit('checkout'), { systemd })).facts['output'] ?? '';
      };
      const said = '2026-11-23 h1 systemd[1]: checkout.service: Failed with result.';
      expect(await words(`2026-11-23 h1 node[7]: port is taken\n${said}\n`)).to.equal(
        '2026-11-23 h1 node[7]: port is taken',
      );
      expect(await words(`${said}\n`)).to.equal(said);
    }));

  it('does not believe a restart whose unit has failed at once, even if it said nothing', () =>
    withRelease(async (host) => {
      const systemd = aSystemd(
        { 'checkout.service': { ActiveState: 'failed' } },
        { journalTail: async () => '' },
      );
      const end = await host.run(restartUnit('checkout'), { systemd });
      expect(reasonOf(end).message).to.equal('checkout.service did not start');
      expect(reasonOf(end).facts).to.deep.equal({ unit: 'checkout.service' });
    }));

  it('ends as it was stopped, and says when there is no systemd', () =>
    withRelease(async (host) => {
      const why = reason('cancelled', 'enough');
      const systemd = aSystemd({}, { restart: async () => ({ ended: 'stopped', reason: why }) });
      expect(await host.run(restartUnit('checkout'), { systemd })).to.deep.equal({
        outcome: Outcome.CANCELLED,
        reason: why,
      });
      const none = await host.run(restartUnit('checkout'));
      expect(reasonOf(none).message).to.equal(
        'checkout.service cannot be controlled: there is no systemd on this host',
      );
    }));

  it('runs the command that stands for it in the release', () =>
    withRelease(async (host, release) => {
      const how = (argv: string[]): AnAction => ({
        $case: 'restart',
        value: { how: { $case: 'command', value: { argv, shell: '', user: '', commit: COMMIT } } },
      });
      expect(await host.run(how(['touch', 'restarted']))).to.deep.equal({
        outcome: Outcome.SUCCEEDED,
        result: { exitCode: 0 },
      });
      expect(await readFile(join(release, 'restarted'), 'utf8')).to.equal('');
      expect(reasonOf(await host.run(how(['false']))).code).to.equal('restart_failed');
    }));

  it('fails when the plan does not say how', () =>
    withRelease(async (host) => {
      const end = await host.run({ $case: 'restart', value: { how: undefined } });
      expect(reasonOf(end).message).to.equal('the plan does not say how to restart');
    }));
});

describe('a step', () => {
  it('that this agent does not know fails with the word to upgrade', () =>
    withRelease(async (host) => {
      const end = await host.run(undefined);
      expect(reasonOf(end).message).to.equal('this agent does not know what the step s1 is');
    }));

  it('whose commit is no commit fails without touching anything', () =>
    withRelease(async (host) => {
      const end = await host.run(commandOf(['true'], { commit: '../..' }));
      expect(reasonOf(end).code).to.equal('protocol_violation');
      expect(host.commands).to.deep.equal([]);
    }));

  it('throws only when the agent is broken', () =>
    withRelease(async (host) => {
      const run = host.run(commandOf(['true']), {
        command: () => Promise.reject(new Error('the disk is gone')),
      });
      expect(await run.catch((error: unknown) => error)).to.have.property('message', 'the disk is gone');
      await writeExecutable(join(host.folder, 'x'), '');
      const stage = host.run(
        { $case: 'stage', value: { commit: COMMIT } },
        { command: () => Promise.reject(new Error('gone')) },
      );
      expect(await stage.catch((error: unknown) => error)).to.have.property('message', 'gone');
    }));
});
