import { expect } from 'chai';
import { Rollback, type Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { HOOK_POINTS } from '../../../controller/fraises/fraises.js';
import type { Environment, Hook, Hooks } from '../../../controller/fraises/fraises.js';
import { makePlan, type PlanInput } from '../../../controller/deployments/plan.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { stepsOfRun } from '../../../controller/deployments/steps-of-run.js';
import type { RunPhase } from '../../../controller/deployments/lifecycle.js';
import { api } from '../../../controller/recipes/api.js';
import { aDatabase, anEnvironment, aRun, COMMIT, NOON, PREVIOUS } from '../../support/builders.js';

const A_HOOK: Hook = {
  command: { argv: ['bin/hook'] },
  user: null,
  timeoutMs: 60_000,
  environment: {},
  repeatable: false,
};
const EVERYWHERE: Hooks = Object.fromEntries(HOOK_POINTS.map((point) => [point, [A_HOOK]]));

function planFor(more: Partial<Environment> = {}, input: Partial<PlanInput> = {}) {
  const environment = anEnvironment({ database: aDatabase, hooks: EVERYWHERE, ...more });
  return makePlan({ environment, commit: COMMIT, ref: 'main', hosts: ['web-1'], madeAt: NOON, ...input });
}

/** Of the run of this phase on the one host, whose previous release is `previous`. */
function stepsIn(phase: RunPhase, plan = planFor(), previous = PREVIOUS): readonly Step[] {
  const prepared = aRun('web-1', 'prepare', 'succeeded', { previousRelease: previous });
  return stepsOfRun(plan, 'web-1', phase, latestRuns([prepared])).steps;
}

const names = (steps: readonly Step[]): string[] => steps.map(({ name }) => name);

/** Of a step that is a command: in which tree, and what else is said of it. */
function commandIn(steps: readonly Step[], name: string) {
  const step = steps.find((one) => one.name === name);
  if (step?.action?.$case !== 'command') throw new Error(`${name} is no command`);
  return { ...step.action.value, step };
}

describe('the hooks of a deployment', () => {
  it('stand at their points, on the host where the steps around them run', () => {
    expect(names(stepsIn('prepare')).slice(0, 5)).to.deep.equal([
      'preflight',
      'hook_before_deploy',
      'fetch',
      'stage',
      'install',
    ]);
    const migrate = names(stepsIn('migrate')).filter((name) => /^hook|^migrate$|applied/.test(name));
    expect(migrate).to.deep.equal([
      'hook_before_migrate',
      'migrate',
      'migration_applied',
      'hook_after_migrate',
    ]);
    expect(names(stepsIn('release'))).to.deep.equal([
      'hook_before_activate',
      'activate',
      'hook_before_restart',
      'restart',
      'hook_after_restart',
      'health',
      'hook_after_health',
    ]);
    expect(names(stepsIn('undo'))).to.deep.equal([
      'hook_on_failure',
      'activate',
      'hook_before_restart',
      'restart',
      'hook_after_restart',
      'health',
      'hook_on_rollback',
    ]);
  });

  it('are done once and never again, and end the run when they fail', () => {
    for (const step of stepsIn('release').filter(({ name }) => name.startsWith('hook_')))
      expect(step, step.name).to.include({ repeatable: false, mayFail: false, timeoutMs: 60_000 });
  });

  it('never stand between a host and its way back', () => {
    for (const step of stepsIn('undo').filter(({ name }) => name.startsWith('hook_')))
      expect(step, step.name).to.include({ repeatable: false, mayFail: true });
  });

  it('run in the tree of the release they are about, and in none before there is one', () => {
    expect(commandIn(stepsIn('prepare'), 'hook_before_deploy').commit).to.equal('');
    expect(commandIn(stepsIn('migrate'), 'hook_after_migrate').commit).to.equal(COMMIT);
    expect(commandIn(stepsIn('release'), 'hook_after_health').commit).to.equal(COMMIT);
    const undo = stepsIn('undo');
    expect(commandIn(undo, 'hook_on_failure').commit).to.equal(COMMIT);
    expect(commandIn(undo, 'hook_before_restart').commit).to.equal(PREVIOUS);
    expect(commandIn(undo, 'hook_on_rollback').commit).to.equal(PREVIOUS);
  });

  it('look into the failure of a first release, too, before it is taken down', () => {
    expect(names(stepsIn('undo', planFor(), ''))).to.deep.equal(['hook_on_failure', 'deactivate']);
  });

  it('that are several at a point have a name each, and everything that was said of them', () => {
    const said: Hook = {
      command: { shell: 'drain --now' },
      user: 'ops',
      timeoutMs: 5000,
      environment: { CHANNEL: '#ops' },
      repeatable: true,
    };
    const steps = stepsIn('release', planFor({ hooks: { before_restart: [A_HOOK, said] } }));
    expect(names(steps)).to.deep.equal([
      'activate',
      'hook_before_restart',
      'hook_before_restart_2',
      'restart',
      'health',
    ]);
    const second = commandIn(steps, 'hook_before_restart_2');
    expect(second).to.deep.include({
      argv: [],
      shell: 'drain --now',
      user: 'ops',
      environment: { CHANNEL: '#ops' },
      hook: 'before_restart',
    });
    expect(second.step).to.include({ timeoutMs: 5000, repeatable: true });
  });

  it('around a restart that there is not are not run', () => {
    const plan = planFor({ systemdService: null });
    expect(names(stepsIn('release', plan))).to.deep.equal([
      'hook_before_activate',
      'activate',
      'health',
      'hook_after_health',
    ]);
  });

  it('of a rollback on demand end as those of an undo', () => {
    const rollback = Rollback.fromPartial({ from: PREVIOUS });
    const steps = stepsIn('release', planFor({}, { rollback }));
    expect(names(steps).slice(-2)).to.deep.equal(['hook_after_health', 'hook_on_rollback']);
    expect(commandIn(steps, 'hook_on_rollback').step.mayFail).to.equal(true);
  });
});

describe('the install of a release', () => {
  const installOf = (force: boolean) => commandIn(stepsIn('prepare', planFor({}, { force })), 'install');

  it('is done once per release, unless the deployment is forced', () => {
    expect(installOf(false).oncePerRelease).to.equal(true);
    expect(installOf(true).oncePerRelease).to.equal(false);
    expect(api.prepare(anEnvironment({ install: null }), COMMIT, 'main', false)).to.have.length(3);
  });

  it('of a checkout in place is tried beside it, and done again there at every release and on the way back', () => {
    const plan = planFor({ layout: 'in_place', repository: null, hooks: {} });
    expect(names(stepsIn('prepare', plan))).to.include('install');
    const released = stepsIn('release', plan);
    expect(names(released)).to.deep.equal(['activate', 'install', 'restart', 'health']);
    expect(commandIn(released, 'install')).to.include({ oncePerRelease: false, commit: COMMIT });
    expect(commandIn(stepsIn('undo', plan), 'install')).to.include({
      oncePerRelease: false,
      commit: PREVIOUS,
    });
  });
});

describe('the restart of a release', () => {
  const restartOf = (more: Partial<Environment>) => {
    const step = stepsIn('release', planFor({ hooks: {}, ...more })).find(({ name }) => name === 'restart');
    return step?.action?.$case === 'restart'
      ? { ...step.action.value, timeoutMs: step.timeoutMs }
      : undefined;
  };

  it('tells the agent the unit, its socket and what to do to them', () => {
    const socket = { systemdSocket: 'checkout.socket', restartMode: 'try_restart' } as const;
    expect(restartOf(socket)).to.deep.include({
      how: { $case: 'systemdService', value: 'checkout.service' },
      mode: 'try_restart',
      systemdSocket: 'checkout.socket',
    });
    expect(restartOf({})).to.include({ mode: 'restart', systemdSocket: '' });
    expect(planFor(socket).target).to.include({ systemdSocket: 'checkout.socket', root: '' });
    expect(planFor({ root: 'services/checkout' }).target?.root).to.equal('services/checkout');
  });

  it('is the command that stands for it, in the release, with its own limit', () => {
    const by = { command: { argv: ['bin/restart'] }, user: null, timeoutMs: 30_000 };
    const found = restartOf({ systemdService: null, restart: by });
    expect(found?.how).to.have.nested.property('value.commit', COMMIT);
    expect(found?.timeoutMs).to.equal(30_000);
    const undo = stepsIn('undo', planFor({ hooks: {}, systemdService: null, restart: by }));
    expect(undo.find(({ name }) => name === 'restart')).to.have.nested.property(
      'action.value.how.value.commit',
      PREVIOUS,
    );
  });
});
