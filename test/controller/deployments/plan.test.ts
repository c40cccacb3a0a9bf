import { expect } from 'chai';
import { rulesOf } from '../../../controller/deployments/rules-of-plan.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { phaseOnWire, stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { RUN_PHASES, type RunPhase } from '../../../controller/deployments/lifecycle.js';
import { DeploymentPlan, Layout, Phase, Rollback, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../../../controller/fraises/fraises.js';
import {
  aDatabase,
  aHealthCheck,
  anEnvironment,
  anHttpCheck,
  aRollout,
  aRun,
  COMMIT,
  NOON,
  PREVIOUS,
} from '../../support/builders.js';

const HOSTS = ['web-1', 'web-2', 'web-3', 'web-4'];

describe('a plan', () => {
  it('spreads the further attempts to fetch over the hosts, so that no burst comes twice', () => {
    const hosts = Array.from({ length: 50 }, (_, at) => `web-${at + 1}`);
    const made = makePlan({ environment: anEnvironment(), commit: COMMIT, ref: 'main', hosts, madeAt: NOON });
    const delays = hosts.map((host) =>
      stepsOfRun(made, host, 'prepare', latestRuns([])).steps.flatMap(({ action }) =>
        action?.$case === 'fetch' ? [action.value.delayMs] : [],
      ),
    );
    expect(delays.slice(0, 3)).to.deep.equal([[2000], [2250], [2500]]);
    expect(delays.slice(39, 42)).to.deep.equal([[11_750], [2000], [2250]]);
  });

  it('says how it goes over the hosts, counted over all of them', () => {
    const said = (
      rollout: Parameters<typeof aRollout>[0],
      more: Partial<Parameters<typeof makePlan>[0]> = {},
    ) => {
      const environment = anEnvironment({ rollout: aRollout(rollout) });
      return rulesOf(
        makePlan({ environment, commit: COMMIT, ref: 'main', hosts: HOSTS, madeAt: NOON, ...more }),
      );
    };
    expect(said({})).to.deep.equal(['when a host fails all of them go back']);
    const rollout = { maxFailures: '25%', minHealthy: '60%', bakeMs: 30_000, onFailure: 'pause' } as const;
    expect(said(rollout, { fleet: [...HOSTS, 'web-5', 'web-6', 'web-7', 'web-8'] })).to.deep.equal([
      '1 of 4 hosts may fail, whatever the batch; when one more does it pauses',
      '5 of 8 hosts stay healthy: a batch is made smaller where it must be',
      '30 s pass between one batch and the next',
    ]);
    expect(said({ onFailure: 'stop' })).to.deep.equal(['when a host fails it stops where it is']);
    const rollback = Rollback.fromPartial({ from: COMMIT });
    expect(said({}, { rollback })).to.deep.equal(['the first host that fails stops it where it is']);
    expect(said({}, { hosts: ['web-1'] })).to.deep.equal([]);
  });

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

  it('gives every host the number of its batch', () => {
    const rollout = { ...anEnvironment().rollout, batch: [2], canary: 1 };
    expect(plan({ rollout }).hosts.map((host) => host.batch)).to.deep.equal([0, 1, 1, 2]);
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
      systemdSocket: '',
      units: '',
    });
    const fetched = (more: Parameters<typeof plan>[0]) =>
      stepsOf(plan(more), 'web-1', 'prepare').flatMap(({ action }) =>
        action?.$case === 'fetch' || action?.$case === 'stage' ? [action.value] : [],
      );
    const [fetch, stage] = fetched({ submodules: true, cloneFilter: 'blob:none' });
    expect(fetch).to.include({ submodules: true, filter: 'blob:none' });
    expect(stage).to.include({ submodules: true });
    expect(fetched({})[0]).to.include({ submodules: false, filter: '' });
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
      const made = plan({ healthCheck: aHealthCheck({ checks: [anHttpCheck({ versionField: null })] }) });
      const health = stepsOf(made, 'web-1', 'undo', prepared)[2]?.action;
      const look = health?.$case === 'health' ? health.value.probes[0]?.look : undefined;
      expect(look?.$case === 'http' && look.value.expectVersion).to.equal('');
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
