import { Phase, type DeploymentPlan, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import { isHookAt } from '../recipes/hooks.js';
import { healthOfRelease } from '../recipes/health.js';
import { unasked } from '../recipes/settled.js';
import { stepOf } from '../recipes/step-of.js';
import type { RunRow } from './ledger/run.js';
import type { RunPhase } from './lifecycle.js';
import type { LatestRuns } from './runs-of-deployment.js';
import { measureSteps, migrateDownSteps, migrateSteps } from './steps-of-migration.js';
import { stepsToAllow } from './steps-to-allow.js';

/** So far apart do hosts fetch again after a failure, this many of them before it begins anew. */
const APART_MS = 250;
const STAGGERED = 40;

const PHASES: Readonly<Record<RunPhase, Phase>> = {
  prepare: Phase.PREPARE,
  migrate: Phase.MIGRATE,
  release: Phase.RELEASE,
  undo: Phase.UNDO,
  migrate_down: Phase.MIGRATE_DOWN,
  prune: Phase.PRUNE,
};

/** The word of the record as the wire says it. */
export function phaseOnWire(phase: RunPhase): Phase {
  return PHASES[phase];
}

/** What one run does on one host: the plan's steps, completed by what `prepare` measured there. */
export interface RunWork {
  readonly steps: readonly Step[];
  /** The release it is about; for `undo` the one gone back to. */
  readonly commit: string;
}

/** Fills a run in from the frozen plan and the earlier runs of the deployment; pure. */
export function stepsOfRun(plan: DeploymentPlan, host: string, phase: RunPhase, latest: LatestRuns): RunWork {
  switch (phase) {
    case 'prepare':
      return { steps: prepareSteps(plan, host, latest), commit: plan.commit };
    case 'migrate':
      return { steps: migrateSteps(plan, planned(plan, 'migrate'), latest), commit: plan.commit };
    case 'migrate_down':
      return { steps: migrateDownSteps(plan, latest), commit: plan.commit };
    case 'undo':
      return undo(plan, latest.of(host, 'prepare'));
    case 'prune':
      return { steps: planned(plan, 'prune'), commit: plan.commit };
    case 'release':
      return { steps: planned(plan, 'release'), commit: plan.commit };
  }
}

function planned(plan: DeploymentPlan, phase: RunPhase): readonly Step[] {
  return plan.phases.find((one) => one.phase === phaseOnWire(phase))?.steps ?? [];
}

/** A host that said it is settled and prepares again all the same is not asked again. */
function prepareSteps(plan: DeploymentPlan, host: string, latest: LatestRuns): readonly Step[] {
  const steps = planned(plan, 'prepare').map((step) => staggered(askingAbout(step, plan, host), plan, host));
  return [
    ...(latest.of(host, 'prepare')?.settled === true ? unasked(steps) : steps),
    ...(host === plan.migratingHost ? measureSteps(plan) : []),
  ];
}

/** Whom a git server dropped in a burst comes again alone. */
function staggered(step: Step, { hosts }: DeploymentPlan, host: string): Step {
  const { action } = step;
  if (action?.$case !== 'fetch') return step;
  const place = hosts.findIndex((one) => one.host === host) % STAGGERED;
  return {
    ...step,
    action: { ...action, value: { ...action.value, delayMs: action.value.delayMs + place * APART_MS } },
  };
}

function askingAbout(step: Step, plan: DeploymentPlan, host: string): Step {
  const { action } = step;
  if (action?.$case !== 'preflight') return step;
  const later = stepsToAllow(plan, host).filter((one) => one.action?.$case !== 'preflight');
  return { ...step, action: { ...action, value: { ...action.value, later } } };
}

function undo(plan: DeploymentPlan, prepared: RunRow | undefined): RunWork {
  const previous = prepared?.previousRelease ?? '';
  if (previous === '') {
    const systemdService = plan.target?.systemdService ?? '';
    const jobs = (plan.target?.jobs.length ?? 0) > 0;
    const step = stepOf('deactivate', 3 * 60_000, { $case: 'deactivate', value: { systemdService, jobs } });
    return { steps: [...plan.undoTemplate.filter((one) => isHookAt('on_failure', one)), step], commit: '' };
  }
  return { steps: plan.undoTemplate.map((step) => forRelease(step, previous)), commit: previous };
}

function forRelease(step: Step, commit: string): Step {
  const { action } = step;
  if (action?.$case === 'activate') {
    return { ...step, action: { ...action, value: { ...action.value, commit } } };
  }
  if (action?.$case === 'unitFiles') {
    return { ...step, action: { ...action, value: { ...action.value, commit } } };
  }
  if (action?.$case === 'awaitIdle' && action.value.commit !== '') {
    return { ...step, action: { ...action, value: { ...action.value, commit } } };
  }
  // What looks into a failure looks at the release that failed.
  if (action?.$case === 'command' && !isHookAt('on_failure', step)) {
    return { ...step, action: { ...action, value: { ...action.value, commit } } };
  }
  if (action?.$case === 'health') {
    return { ...step, action: { ...action, value: healthOfRelease(action.value, commit) } };
  }
  if (action?.$case === 'restart' && action.value.how?.$case === 'command') {
    const { how } = action.value;
    const again = { ...how, value: { ...how.value, commit } };
    return { ...step, action: { ...action, value: { ...action.value, how: again } } };
  }
  return step;
}
