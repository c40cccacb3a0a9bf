import { expect } from 'chai';
import { makePlan } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { phaseOnWire, stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import type { RunRow } from '../../../controller/deployments/ledger.js';
import { RUN_PHASES, type RunPhase } from '../../../controller/deployments/lifecycle.js';
import { Direction, DeploymentPlan, Layout, Phase, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../../../controller/fraises/fraises.js';
import { aDatabase, anEnvironment, aRun, COMMIT, NOON, PREVIOUS } from '../../support/builders.js';

const HOSTS = ['web-1', 'web-2', 'web-3', 'web-4'];
const before = { revision: 'r1', pending: ['r2', 'r3'], irreversible: [] };
const after = { revision: 'r3', pending: [], irreversible: [] };

describe('a plan', () => {
  it('prepares by looking, fetching, staging and installing', () => {
    expect(names(plan(), 'web-1', 'prepare')).to.deep.equal(['preflight', 'fetch', 'stage', 'install']);
    expect(names(plan({ install: null }), 'web-1', 'prepare')).to.deep.equal(['preflight', 'fetch', 'stage']);
  });

  it('releases by activating, restarting and looking at its health', () => {
    expect(names(plan(), 'web-1', 'release')).to.deep.equal(['activate', 'restart', 'health']);
    const bare = plan({ systemdService: null, healthCheck: null });
    expect(names(bare, 'web-1', 'release')).to.deep.equal(['activate']);
    expect(bare.warnings.join(' ')).to.contain('no health_check').and.to.contain('nothing is restarted');
    expect(plan().warnings).to.deep.equal([]);
  });

  it('restarts by a command where there is no systemd', () => {
    const restart = { command: { shell: './restart' }, user: 'app', timeoutMs: 7000 };
    const [step] = stepsOf(plan({ systemdService: null, restart }), 'web-1', 'release').slice(1);
    expect(step?.timeoutMs).to.equal(7000);
    expect(step?.action?.$case === 'restart' && step.action.value.how?.value).to.deep.include({
      shell: './restart',
      user: 'app',
    });
  });

  it('gives health time for every attempt', () => {
    const health = stepsOf(plan(), 'web-1', 'release')[2];
    expect(health?.timeoutMs).to.equal(10 * (3000 + 5000) + 10_000);
    const value = health?.action?.$case === 'health' ? health.action.value : undefined;
    expect([value?.versionField, value?.expectVersion]).to.deep.equal(['commit', COMMIT]);
    const unversioned = anEnvironment().healthCheck;
    const without = stepsOf(
      plan({ healthCheck: unversioned && { ...unversioned, versionField: null } }),
      'web-1',
      'release',
    )[2];
    expect(without?.action?.$case === 'health' && without.action.value.expectVersion).to.equal('');
  });

  it('puts hosts into batches, canaries first', () => {
    const rollout = anEnvironment().rollout;
    const batches = (more: Partial<typeof rollout>) =>
      plan({ rollout: { ...rollout, ...more } }).hosts.map((host) => host.batch);
    expect(batches({})).to.deep.equal([0, 1, 2, 3]);
    expect(batches({ batch: 2 })).to.deep.equal([0, 0, 1, 1]);
    expect(batches({ canary: 1, batch: 2 })).to.deep.equal([0, 1, 1, 2]);
    expect(batches({ strategy: 'all_at_once' })).to.deep.equal([0, 0, 0, 0]);
  });

  it('tells the host all it needs and nothing else', () => {
    const full = plan({ user: 'app', environmentFile: '/etc/checkout/env', shared: ['.env'] });
    expect(full.target).to.deep.equal({
      fraise: 'checkout',
      environment: 'production',
      appPath: '/srv/checkout',
      layout: Layout.RELEASES,
      user: 'app',
      environmentFile: '/etc/checkout/env',
      repository: 'https://github.com/acme/checkout.git',
      shared: ['.env'],
      systemdService: 'checkout.service',
      root: '',
      jobs: [],
    });
    const inPlace = plan({ layout: 'in_place', repository: null, systemdService: null });
    expect(inPlace.target).to.include({ layout: Layout.IN_PLACE, repository: '', systemdService: '' });
  });

  it('survives being stored', () => {
    const made = plan({ database: aDatabase });
    expect(DeploymentPlan.decode(DeploymentPlan.encode(made).finish())).to.deep.equal(made);
  });

  it('removes old releases but never the one it made', () => {
    const [prune] = stepsOf(plan(), 'web-1', 'prune');
    expect(prune?.action).to.deep.equal({ $case: 'prune', value: { keep: 5, keepCommits: [COMMIT] } });
  });

  describe('with a database', () => {
    it('migrates on the first host, or the one it names, or on none', () => {
      expect(plan({ database: aDatabase }).migratingHost).to.equal('web-1');
      expect(plan({ database: { ...aDatabase, on: 'web-3' } }).migratingHost).to.equal('web-3');
      expect(plan({ database: { ...aDatabase, strategy: 'none' } }).migratingHost).to.equal('');
      expect(
        makePlan({
          environment: anEnvironment({ database: aDatabase }),
          commit: COMMIT,
          ref: '',
          hosts: [],
          madeAt: NOON,
        }).migratingHost,
      ).to.equal('');
    });

    it('says beforehand where the point of no return is', () => {
      expect(plan({ database: aDatabase }).pointOfNoReturn).to.equal('');
      expect(plan({ database: { ...aDatabase, down: null } }).pointOfNoReturn).to.contain('down');
      expect(plan({ database: { ...aDatabase, status: null } }).pointOfNoReturn).to.contain('status');
    });

    it('freezes the pending set at the end of prepare, on the migrating host only', () => {
      const migrating = plan({ database: { ...aDatabase, user: 'db' } });
      expect(names(migrating, 'web-1', 'prepare').at(-1)).to.equal('migration_status');
      expect(names(migrating, 'web-2', 'prepare').at(-1)).to.equal('install');
    });

    it('migrates only what was frozen, never repeats it, and measures afterwards', () => {
      const runs = [aRun('web-1', 'prepare', 'succeeded', { migration: before })];
      const steps = stepsOf(plan({ database: aDatabase }), 'web-1', 'migrate', runs);
      expect(steps.map((step) => [step.name, step.repeatable])).to.deep.equal([
        ['migration_unchanged', true],
        ['migrate', false],
        ['migration_applied', true],
      ]);
      expect(expected(steps[0])).to.deep.equal(before);
      expect(expected(steps[2])).to.equal(undefined);
      expect(
        stepsOf(plan({ database: { ...aDatabase, status: null } }), 'web-1', 'migrate').map(
          (step) => step.name,
        ),
      ).to.deep.equal(['migrate']);
    });

    it('goes down by exactly what was applied', () => {
      const runs = [
        aRun('web-1', 'prepare', 'succeeded', { migration: before }),
        aRun('web-1', 'migrate', 'succeeded', { migration: after }),
      ];
      const steps = stepsOf(plan({ database: { ...aDatabase, user: 'db' } }), 'web-1', 'migrate_down', runs);
      expect(steps.map((step) => step.name)).to.deep.equal([
        'migration_unchanged',
        'migrate_down',
        'migration_undone',
      ]);
      expect(expected(steps[0])).to.deep.equal(after);
      expect(expected(steps[2])).to.deep.equal(before);
      const down = steps[1]?.action;
      expect(down?.$case === 'migrate' && [down.value.direction, down.value.environment]).to.deep.equal([
        Direction.DOWN,
        { FRAISIER_REVISION: 'r1', FRAISIER_APPLIED: 'r3 r2' },
      ]);
    });

    it('after a failed migration only proves that nothing is left of it', () => {
      const runs = [
        aRun('web-1', 'prepare', 'succeeded', { migration: before }),
        aRun('web-1', 'migrate', 'failed'),
      ];
      const steps = stepsOf(plan({ database: aDatabase }), 'web-1', 'migrate_down', runs);
      expect(steps.map((step) => step.name)).to.deep.equal(['migration_undone']);
    });

    it('has no way down without both commands, and asks for nothing it cannot know', () => {
      expect(plan({ database: { ...aDatabase, down: null } }).migrateDownTemplate).to.deep.equal([]);
      expect(plan({ database: { ...aDatabase, status: null } }).migrateDownTemplate).to.deep.equal([]);
      const unmeasured = [aRun('web-1', 'prepare', 'succeeded'), aRun('web-1', 'migrate', 'succeeded')];
      const down = stepsOf(plan({ database: aDatabase }), 'web-1', 'migrate_down', unmeasured)[1]?.action;
      expect(down?.$case === 'migrate' && down.value.environment).to.deep.equal({
        FRAISIER_REVISION: '',
        FRAISIER_APPLIED: '',
      });
    });

    it('leaves steps of another kind in a stored plan as they are', () => {
      const odd = { ...plan({ database: aDatabase }), measure: [anyStep], migrateDownTemplate: [anyStep] };
      const migrated = [aRun('web-1', 'migrate', 'succeeded')];
      expect(stepsOf(odd, 'web-1', 'migrate_down', migrated)).to.deep.equal([anyStep, anyStep, anyStep]);
    });
  });

  describe('undo', () => {
    const prepared = [aRun('web-1', 'prepare', 'succeeded')];

    it('is the release of the release the host had', () => {
      const restart = { command: { argv: ['./restart'] }, user: null, timeoutMs: 1000 };
      for (const made of [plan(), plan({ systemdService: null, restart })]) {
        const work = stepsOfRun(made, 'web-1', 'undo', latestRuns(prepared));
        expect(work.commit).to.equal(PREVIOUS);
        expect(work.steps.map((step) => step.name)).to.deep.equal(['activate', 'restart', 'health']);
        expect(JSON.stringify(work.steps)).not.to.contain(COMMIT);
      }
    });

    it('does not ask the old release for a version it was not asked for', () => {
      const check = anEnvironment().healthCheck;
      const made = plan({ healthCheck: check && { ...check, versionField: null } });
      const health = stepsOf(made, 'web-1', 'undo', prepared)[2]?.action;
      expect(health?.$case === 'health' && health.value.expectVersion).to.equal('');
    });

    it('stops the service where there was none before', () => {
      const first = [aRun('web-1', 'prepare', 'succeeded', { previousRelease: '' })];
      const work = stepsOfRun(plan(), 'web-1', 'undo', latestRuns(first));
      expect(work.commit).to.equal('');
      expect(work.steps[0]?.action).to.deep.equal({
        $case: 'deactivate',
        value: { systemdService: 'checkout.service', jobs: false },
      });
      expect(stepsOf({ ...plan(), target: undefined }, 'web-1', 'undo', [])[0]?.action?.value).to.deep.equal({
        systemdService: '',
        jobs: false,
      });
    });

    it('keeps steps that name no release', () => {
      expect(stepsOf({ ...plan(), undoTemplate: [anyStep] }, 'web-1', 'undo', prepared)).to.deep.equal([
        anyStep,
      ]);
    });
  });

  it('says each phase’s word on the wire', () => {
    expect(RUN_PHASES.map(phaseOnWire)).to.deep.equal(
      Object.values(Phase).filter((phase) => phase !== Phase.UNSPECIFIED && phase !== Phase.UNRECOGNIZED),
    );
  });

  it('has no steps for a phase that a stored plan does not know', () => {
    expect(stepsOf({ ...plan(), phases: [] }, 'web-1', 'release')).to.deep.equal([]);
  });
});

const anyStep = Step.fromPartial({
  name: 'prune',
  action: { $case: 'prune', value: { keep: 1, keepCommits: [] } },
});

function plan(more: Partial<Environment> = {}): DeploymentPlan {
  return makePlan({
    environment: anEnvironment(more),
    commit: COMMIT,
    ref: 'main',
    hosts: HOSTS,
    madeAt: NOON,
  });
}

function stepsOf(
  made: DeploymentPlan,
  host: string,
  phase: RunPhase,
  runs: readonly RunRow[] = [],
): readonly Step[] {
  return stepsOfRun(made, host, phase, latestRuns(runs)).steps;
}

function names(made: DeploymentPlan, host: string, phase: RunPhase): string[] {
  return stepsOf(made, host, phase).map((step) => step.name);
}

function expected(step: Step | undefined): unknown {
  return step?.action?.$case === 'migrationStatus' ? step.action.value.expect : 'no status step';
}
