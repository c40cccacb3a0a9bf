import { expect } from 'chai';
import { makePlan, targetOf } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import type { RunPhase } from '../../../controller/deployments/lifecycle.js';
import type { Environment, Hook } from '../../../controller/fraises/fraises.js';
import { Rollback, type Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { anEnvironment, aRun, COMMIT, NOON, PREVIOUS } from '../../support/builders.js';

const HOOK: Hook = {
  command: { argv: ['a'] },
  user: null,
  timeoutMs: 1000,
  environment: {},
  repeatable: false,
};
const SCRIPT = { path: 'run.py', run: 'verify', timeoutMs: 9_000, repeatable: false } as const;
const JOB = {
  name: 'daily',
  timer: 'd.timer',
  service: 'd.service',
  timerFile: null,
  serviceFile: 'x/d.service',
};
const plain = { systemdService: null, healthCheck: null, hooks: {} };
const anEtl = (more: Partial<Environment> = {}) =>
  anEnvironment({ ...plain, type: 'etl', script: SCRIPT, ...more });
const aScheduled = (more: Partial<Environment> = {}) =>
  anEnvironment({ ...plain, type: 'scheduled', jobs: [JOB], units: 'deploy', ...more });

function planOf(environment: Environment, more: Partial<Parameters<typeof makePlan>[0]> = {}) {
  return makePlan({ environment, commit: COMMIT, ref: '', hosts: ['web-1'], madeAt: NOON, ...more });
}

function stepsOf(environment: Environment, phase: RunPhase, previous = PREVIOUS): readonly Step[] {
  const prepared = aRun('web-1', 'prepare', 'succeeded', { previousRelease: previous });
  return stepsOfRun(planOf(environment), 'web-1', phase, latestRuns([prepared])).steps;
}

const names = (steps: readonly Step[]) => steps.map(({ name }) => name);
const valueOf = <K extends NonNullable<Step['action']>['$case']>(steps: readonly Step[], kind: K) =>
  steps.flatMap(({ action }) => (action?.$case === kind ? [action.value] : []))[0] as
    | Extract<NonNullable<Step['action']>, { $case: K }>['value']
    | undefined;

describe('the recipe of an etl', () => {
  it('looks at the script before anything is moved', () => {
    const steps = stepsOf(anEtl(), 'prepare');
    expect(names(steps)).to.deep.equal(['preflight', 'fetch', 'stage', 'install', 'script']);
    expect(valueOf(steps, 'script')).to.deep.equal({ path: 'run.py', commit: COMMIT, run: false });
  });

  it('waits for a run in progress, and calls the release good at the end', () => {
    const steps = stepsOf(anEtl(), 'release');
    expect(names(steps)).to.deep.equal(['await_idle', 'activate', 'prove']);
    expect(valueOf(steps, 'awaitIdle')).to.deep.equal({
      units: [],
      script: 'run.py',
      limitMs: 300_000,
      pastLimit: 'fail',
      commit: '',
    });
    expect(steps[0]?.timeoutMs).to.equal(360_000);
  });

  it('runs the script last, once, if it is told to: health has not the last word then', () => {
    const { healthCheck, systemdService } = anEnvironment();
    const script = { ...SCRIPT, run: 'after_deploy' } as const;
    const hooks = { after_health: [HOOK], before_activate: [HOOK] };
    const steps = stepsOf(anEtl({ script, healthCheck, systemdService, hooks }), 'release');
    expect(names(steps)).to.deep.equal([
      ...[
        'await_idle',
        'hook_before_activate',
        'activate',
        'restart',
        'health',
        'run',
        'hook_after_health',
        'prove',
      ],
    ]);
    expect(valueOf(steps, 'health')?.keepUnproven).to.equal(true);
    expect(valueOf(steps, 'awaitIdle')?.units).to.deep.equal(['checkout.service']);
    const run = steps.find(({ name }) => name === 'run');
    expect([run?.repeatable, run?.timeoutMs, valueOf(steps, 'script')?.run]).to.deep.equal([
      false,
      9_000,
      true,
    ]);
    const again = stepsOf(anEtl({ script: { ...script, repeatable: true } }), 'release');
    expect(again.find(({ name }) => name === 'run')?.repeatable).to.equal(true);
  });

  it('goes back without running it; a run in progress must not stand in the way', () => {
    const script = { ...SCRIPT, run: 'after_deploy' } as const;
    const steps = stepsOf(anEtl({ script, hooks: { on_failure: [HOOK], on_rollback: [HOOK] } }), 'undo');
    expect(names(steps)).to.deep.equal(['hook_on_failure', 'await_idle', 'activate', 'hook_on_rollback']);
    expect(valueOf(steps, 'awaitIdle')).to.include({ pastLimit: 'continue', commit: PREVIOUS });
  });

  it('waits as it is told before a restart that would cut the run off, also on the way back', () => {
    const steps = stepsOf(anEtl({ restart: { command: { argv: ['a'] }, user: null, timeoutMs: 1 } }), 'undo');
    expect(names(steps)).to.deep.equal(['await_idle', 'activate', 'restart']);
    expect(valueOf(steps, 'awaitIdle')).to.include({ pastLimit: 'fail', commit: '' });
  });

  it('starts nothing when it is rolled back on demand', () => {
    const environment = anEtl({ script: { ...SCRIPT, run: 'after_deploy' } });
    const rollback = Rollback.fromPartial({ from: PREVIOUS });
    const [, release] = planOf(environment, { rollback }).phases;
    expect(names(release?.steps ?? [])).to.deep.equal(['await_idle', 'activate', 'prove']);
  });

  it('has nothing to say of a script that it does not have', () => {
    const environment = anEtl({ script: null });
    expect(names(stepsOf(environment, 'prepare'))).not.to.include('script');
    expect(valueOf(stepsOf(environment, 'release'), 'awaitIdle')?.script).to.equal('');
  });

  it('is stopped and taken away when its first release failed', () => {
    expect(valueOf(stepsOf(anEtl(), 'undo', ''), 'deactivate')).to.deep.equal({
      systemdService: '',
      jobs: false,
    });
  });
});

describe('the recipe of a scheduled fraise', () => {
  it('looks at every unit before anything is moved', () => {
    const steps = stepsOf(aScheduled(), 'prepare');
    expect(names(steps)).to.deep.equal(['preflight', 'fetch', 'stage', 'install', 'check_units']);
    expect(valueOf(steps, 'unitFiles')).to.deep.equal({ commit: COMMIT, check: true, restore: false });
  });

  it('waits for jobs, then puts code, unit files and timers in place, and looks at the timers', () => {
    const steps = stepsOf(
      aScheduled({ hooks: { before_activate: [HOOK], after_health: [HOOK] } }),
      'release',
    );
    expect(names(steps)).to.deep.equal([
      ...[
        'await_idle',
        'hook_before_activate',
        'activate',
        'unit_files',
        'timers',
        'health',
        'hook_after_health',
      ],
    ]);
    expect(valueOf(steps, 'awaitIdle')).to.deep.include({ units: ['d.service'], script: '' });
    expect(valueOf(steps, 'unitFiles')).to.deep.equal({ commit: COMMIT, check: false, restore: false });
    expect(valueOf(steps, 'health')?.probes.map(({ look }) => look?.$case)).to.deep.equal(['timers']);
  });

  it('looks at the timers beside what the configuration names, and once', () => {
    const { healthCheck } = anEnvironment();
    if (healthCheck === null) throw new Error('the sample has a check');
    const looks = (check: typeof healthCheck) =>
      valueOf(stepsOf(aScheduled({ healthCheck: check }), 'release'), 'health')?.probes.map(
        ({ look }) => look?.$case,
      );
    expect(looks(healthCheck)).to.deep.equal(['http', 'timers']);
    expect(looks({ ...healthCheck, checks: [{ by: 'timers', timeoutMs: 1 }] })).to.deep.equal(['timers']);
  });

  it('goes back to what was in place with the release before', () => {
    const steps = stepsOf(aScheduled({ hooks: { on_failure: [HOOK], on_rollback: [HOOK] } }), 'undo');
    expect(names(steps)).to.deep.equal([
      ...['hook_on_failure', 'await_idle', 'activate', 'unit_files', 'timers', 'health', 'hook_on_rollback'],
    ]);
    expect(valueOf(steps, 'unitFiles')).to.deep.equal({ commit: PREVIOUS, check: false, restore: true });
    expect(valueOf(steps, 'activate')?.commit).to.equal(PREVIOUS);
    expect(valueOf(steps, 'awaitIdle')).to.include({ pastLimit: 'continue', commit: PREVIOUS });
  });

  it('takes its timers and unit files away when its first release failed', () => {
    expect(valueOf(stepsOf(aScheduled(), 'undo', ''), 'deactivate')).to.deep.equal({
      systemdService: '',
      jobs: true,
    });
  });

  it('prunes as every kind does, and is not warned of what it does not need', () => {
    expect(names(stepsOf(aScheduled(), 'prune'))).to.deep.equal(['prune']);
    expect(planOf(aScheduled()).warnings).to.deep.equal([]);
    expect(planOf(anEtl()).warnings).to.deep.equal([]);
  });

  it('tells the host its jobs and where their files may be', () => {
    expect(targetOf(aScheduled())).to.deep.include({
      units: 'deploy',
      jobs: [
        { name: 'daily', timer: 'd.timer', service: 'd.service', timerFile: '', serviceFile: 'x/d.service' },
      ],
    });
    const timerFile = 'x/d.timer';
    expect(
      targetOf(aScheduled({ units: null, jobs: [{ ...JOB, timerFile, serviceFile: null }] })),
    ).to.deep.include({
      units: '',
      jobs: [{ name: 'daily', timer: 'd.timer', service: 'd.service', timerFile, serviceFile: '' }],
    });
  });
});
