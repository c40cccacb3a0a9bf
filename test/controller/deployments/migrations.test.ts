import { expect } from 'chai';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import type { RunPhase } from '../../../controller/deployments/lifecycle.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import type { Database } from '../../../controller/fraises/fraises.js';
import { migrationCommands } from '../../../controller/recipes/database-down.js';
import { Direction, Moment, type DeploymentPlan, type Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDatabase, anEnvironment, aRun, aState, COMMIT, NOON } from '../../support/builders.js';

const before = aState('r1', ['r2', 'r3']);
const after = aState('r3', [], { moment: Moment.AFTER });
const prepared = aRun('web-1', 'prepare', 'succeeded', { migration: before });

describe('the migrations of a plan', () => {
  it('are done on the first host, or the one it names, or on none', () => {
    expect(plan().migratingHost).to.equal('web-1');
    expect(plan({ on: 'web-2' }).migratingHost).to.equal('web-2');
    expect(plan({ strategy: 'none' }).migratingHost).to.equal('');
    const nowhere = { environment: anEnvironment({ database: aDatabase }), commit: COMMIT, ref: '' };
    expect(makePlan({ ...nowhere, hosts: [], madeAt: NOON }).migratingHost).to.equal('');
  });

  it('say beforehand where the point of no return is', () => {
    expect(plan().pointOfNoReturn).to.equal('');
    expect(plan({ tool: 'sql', up: null, down: null, status: null }).pointOfNoReturn).to.equal('');
    expect(plan({ down: null }).pointOfNoReturn).to.contain('down');
    expect(plan({ status: null }).pointOfNoReturn).to.contain('status');
    expect(plan({ strategy: 'rebuild' }).pointOfNoReturn).to.contain('drops the database');
  });

  it('are measured at the end of prepare, on the migrating host only', () => {
    expect(steps(plan(), 'prepare').at(-1)?.name).to.equal('migration_status');
    expect(stepsOfRun(plan(), 'web-2', 'prepare', latestRuns([])).steps.at(-1)?.name).to.equal('install');
    expect(steps(plan({ status: null }), 'prepare').at(-1)?.name).to.equal('install');
  });

  it('are only what was frozen, never done twice, and measured afterwards, also after a failure', () => {
    const all = steps(plan(), 'migrate', [prepared]);
    expect(all.map((step) => [step.name, step.repeatable, step.afterFailure])).to.deep.equal([
      ['migration_unchanged', true, false],
      ['migrate', false, false],
      ['migration_applied', true, true],
    ]);
    expect(lookOf(all[0])).to.deep.include({ expect: before, progress: false });
    expect(lookOf(all[2])).to.deep.include({ expect: before, progress: true });
    expect(steps(plan({ status: null }), 'migrate').map(({ name }) => name)).to.deep.equal(['migrate']);
  });

  it('look first in a second attempt, and take what the first applied as done', () => {
    const again = steps(plan(), 'migrate', [prepared, aRun('web-1', 'migrate', 'interrupted')]);
    expect(lookOf(again[0])).to.deep.include({ expect: before, progress: true });
  });

  it('wait for the backup', () => {
    const backupBefore = {
      command: { argv: ['dump'] },
      verify: { shell: 'check' },
      user: 'db',
      timeoutMs: 9000,
    };
    const [, backup] = steps(plan({ backupBefore }), 'migrate', [prepared]);
    expect(backup).to.include({ name: 'backup', timeoutMs: 9000, repeatable: true });
    const value = backup?.action?.$case === 'backup' ? backup.action.value : undefined;
    expect(value?.command).to.deep.include({ argv: ['dump'], user: 'db', commit: COMMIT });
    expect(value?.verify).to.deep.include({ shell: 'check', user: 'db', commit: COMMIT });
    const unverified = steps(plan({ backupBefore: { ...backupBefore, verify: null } }), 'migrate')[1];
    expect(unverified?.action?.$case === 'backup' && unverified.action.value.verify).to.equal(undefined);
  });

  it('carry their limits to the commands that change the database', () => {
    const limited = { lockTimeoutMs: 5000, statementTimeoutMs: 60_000 };
    const [, migrate] = steps(plan(limited), 'migrate');
    expect(migrationOf(migrate)?.environment).to.deep.equal({
      PGOPTIONS: '-c lock_timeout=5000 -c statement_timeout=60000',
    });
    expect(migrationOf(steps(plan(), 'migrate')[1])?.environment).to.deep.equal({});
  });

  it('make a database anew with the commands of the tool, one step each', () => {
    const knex = { strategy: 'rebuild', tool: 'knex', up: null, down: null, status: null } as const;
    expect(
      steps(plan(knex), 'migrate').map((step) => [step.name, migrationOf(step)?.argv.at(-1)]),
    ).to.deep.equal([
      ['migrate', '--all'],
      ['migrate_2', 'migrate:latest'],
    ]);
    expect(migrationOf(steps(plan({ strategy: 'rebuild' }), 'migrate')[0])?.argv).to.deep.equal(aDatabase.up);
  });
});

describe('the way down', () => {
  it('undoes exactly what was applied, newest first, between two looks', () => {
    const down = steps(plan(), 'migrate_down', [prepared, migrated({ migration: after })]);
    expect(down.map(({ name }) => name)).to.deep.equal([
      'migration_unchanged',
      'migrate_down',
      'migration_undone',
    ]);
    expect(lookOf(down[0])?.expect).to.deep.equal(after);
    expect(lookOf(down[2])?.expect).to.deep.equal(before);
    expect(migrationOf(down[1])).to.deep.include({
      direction: Direction.DOWN,
      argv: aDatabase.down,
      environment: { FRAISIER_REVISION: 'r1', FRAISIER_APPLIED: 'r3 r2' },
    });
  });

  it('has a step for every command, and looks between two that undo whatever is the newest', () => {
    const tool = { up: null, down: null, status: null };
    const of = (name: 'sql' | 'dbmate') =>
      steps(plan({ ...tool, tool: name }), 'migrate_down', [prepared, migrated({ migration: after })]);
    expect(of('sql').map((step) => [step.name, migrationOf(step)?.argv.at(-1)])).to.deep.equal([
      ['migration_unchanged', undefined],
      ['migrate_down', 'r3'],
      ['migrate_down_2', 'r2'],
      ['migration_undone', undefined],
    ]);
    expect(of('dbmate')[2]).to.include({ name: 'migration_between' });
    expect(lookOf(of('dbmate')[2])).to.deep.include({ expect: before, applied: 1 });
  });

  it('undoes only the part that a failed migration applied', () => {
    const partly = aState('r2', ['r3'], { moment: Moment.AFTER });
    const down = steps(plan(), 'migrate_down', [prepared, migrated({ status: 'failed', migration: partly })]);
    expect(migrationOf(down[1])?.environment['FRAISIER_APPLIED']).to.equal('r2');
    const nothing = aState('r1', ['r2', 'r3'], { moment: Moment.AFTER });
    const proof = steps(plan(), 'migrate_down', [
      prepared,
      migrated({ status: 'failed', migration: nothing }),
    ]);
    expect(proof.map(({ name }) => name)).to.deep.equal(['migration_undone']);
  });

  it('counts what a later attempt found and accepted', () => {
    const found = aState('r2', ['r3']);
    const second = migrated({ attempt: 2, status: 'failed', migration: found });
    const down = steps(plan(), 'migrate_down', [prepared, migrated({ status: 'interrupted' }), second]);
    expect(migrationOf(down[1])?.environment['FRAISIER_APPLIED']).to.equal('r2');
  });

  it('only looks whether anything is left where what was applied is not known', () => {
    const begun = aState('', [], { moment: Moment.BEGUN });
    for (const unknown of [
      [prepared, migrated({ status: 'failed', migration: begun })],
      [prepared, migrated({ status: 'interrupted' })],
      [prepared, migrated({ status: 'lost', migration: before })],
      [prepared, migrated({ attempt: 2, status: 'failed' })],
    ]) {
      const [proof, ...more] = steps(plan(), 'migrate_down', unknown);
      expect(more).to.deep.equal([]);
      expect(lookOf(proof)?.expect).to.deep.equal(before);
    }
    const unmeasured = [aRun('web-1', 'prepare', 'succeeded'), migrated({ migration: after })];
    expect(lookOf(steps(plan(), 'migrate_down', unmeasured)[0])?.expect).to.equal(undefined);
    const notBegun = [prepared, migrated({ status: 'interrupted', migration: before })];
    expect(lookOf(steps(plan(), 'migrate_down', notBegun)[0])?.expect).to.equal(undefined);
  });

  it('has no commands where the tool has none', () => {
    const bare = { tool: 'rails', up: null, down: null } as const;
    const down = steps(plan(bare), 'migrate_down', [prepared, migrated({ migration: after })]);
    expect(down.map(({ name }) => name)).to.deep.equal(['migration_unchanged', 'migration_undone']);
  });

  it('of a rollback on demand goes by what the record says, in the tree that was live', () => {
    const rollback = {
      from: 'f'.repeat(40),
      applied: ['r3'],
      before: aState('r2', ['r3']),
      after,
      codeOnly: false,
      skipped: [],
    };
    const made = plan({}, rollback);
    expect(lookOf(steps(made, 'prepare').at(-1))).to.deep.include({ expect: after, commit: rollback.from });
    const down = steps(made, 'migrate_down');
    expect(down.map(({ name }) => name)).to.deep.equal([
      'migration_unchanged',
      'migrate_down',
      'migration_undone',
    ]);
    expect(migrationOf(down[1])?.commit).to.equal(rollback.from);
    expect(steps(plan({}, { ...rollback, before: undefined }), 'migrate_down')).to.deep.equal([]);
    expect(steps(plan({}, { ...rollback, after: undefined }), 'migrate_down')).to.deep.equal([]);
  });

  it('has no steps where nothing is migrated', () => {
    const none = { ...plan(), migration: undefined };
    for (const phase of ['migrate', 'migrate_down'] as const) expect(steps(none, phase)).to.deep.equal([]);
    expect(steps(none, 'prepare').at(-1)?.name).to.equal('install');
  });
});

describe('what a policy is asked beforehand', () => {
  it('is every command that may come, the last words of the way down left open', () => {
    const asked = (more: Partial<Database>) => {
      const { migration } = plan(more);
      return migration === undefined
        ? []
        : migrationCommands(migration, '').flatMap((step) => {
            const value = migrationOf(step);
            return value === undefined ? [step.name] : [`${value.argv.join(' ')} +${value.anyArguments}`];
          });
    };
    const own = { up: null, down: null, status: null };
    expect(asked({})).to.deep.equal(['migration_status', 'bin/migrate up +0', 'bin/migrate down +0']);
    expect(asked({ ...own, tool: 'alembic' })).to.deep.equal([
      'migration_status',
      'alembic upgrade head +0',
      'alembic downgrade +1',
    ]);
    expect(asked({ ...own, tool: 'rails' })).to.deep.equal(['bin/rails db:migrate +0']);
  });
});

function plan(
  more: Partial<Database> = {},
  rollback: Parameters<typeof makePlan>[0]['rollback'] = null,
): DeploymentPlan {
  const environment = anEnvironment({ database: { ...aDatabase, ...more } });
  return makePlan({
    environment,
    commit: COMMIT,
    ref: 'main',
    hosts: ['web-1', 'web-2'],
    madeAt: NOON,
    rollback,
  });
}

function migrated(more: Partial<RunRow> = {}): RunRow {
  return aRun('web-1', 'migrate', 'succeeded', more);
}

function steps(made: DeploymentPlan, phase: RunPhase, runs: readonly RunRow[] = []): readonly Step[] {
  return stepsOfRun(made, 'web-1', phase, latestRuns(runs)).steps;
}

function lookOf(step: Step | undefined) {
  return step?.action?.$case === 'migrationStatus' ? step.action.value : undefined;
}

function migrationOf(step: Step | undefined) {
  return step?.action?.$case === 'migrate' ? step.action.value : undefined;
}
