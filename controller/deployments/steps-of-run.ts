import {
  Phase,
  type DeploymentPlan,
  type MigrationState,
  type Step,
} from '../../proto/gen/fraisier/v1/plan.js';
import { stepOf } from '../recipes/step-of.js';
import type { RunRow } from './ledger.js';
import type { RunPhase } from './lifecycle.js';
import type { LatestRuns } from './runs-of-deployment.js';

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
      return {
        steps: [...planned(plan, 'prepare'), ...(host === plan.migratingHost ? plan.measure : [])],
        commit: plan.commit,
      };
    case 'migrate':
      return { steps: migrateSteps(plan, latest), commit: plan.commit };
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

/** Refuses a database that changed since `prepare` froze the pending set; says afterwards what is applied now. */
function migrateSteps(plan: DeploymentPlan, latest: LatestRuns): readonly Step[] {
  const frozen = latest.of(plan.migratingHost, 'prepare')?.migration ?? undefined;
  return [
    ...expecting(plan.measure, 'migration_unchanged', frozen),
    ...planned(plan, 'migrate'),
    ...expecting(plan.measure, 'migration_applied', undefined),
  ];
}

/** Exactly what this deployment applied, or, after a failed migration, only the proof that nothing is left of it. */
function migrateDownSteps(plan: DeploymentPlan, latest: LatestRuns): readonly Step[] {
  const before = latest.of(plan.migratingHost, 'prepare')?.migration ?? undefined;
  const [migrated] = latest.dispatched('migrate');
  const proof = expecting(plan.measure, 'migration_undone', before);
  if (migrated?.status !== 'succeeded') return proof;
  const after = migrated.migration ?? undefined;
  return [
    ...expecting(plan.measure, 'migration_unchanged', after),
    ...plan.migrateDownTemplate.map((step) => withGoal(step, before, after)),
    ...proof,
  ];
}

function expecting(
  measure: readonly Step[],
  name: string,
  expect: MigrationState | undefined,
): readonly Step[] {
  return measure.map((step) =>
    step.action?.$case === 'migrationStatus'
      ? { ...step, name, action: { $case: 'migrationStatus', value: { ...step.action.value, expect } } }
      : step,
  );
}

function withGoal(step: Step, before: MigrationState | undefined, after: MigrationState | undefined): Step {
  if (step.action?.$case !== 'migrate') return step;
  const left = new Set(after?.pending ?? []);
  const applied = (before?.pending ?? []).filter((id) => !left.has(id)).reverse();
  const environment = { FRAISIER_REVISION: before?.revision ?? '', FRAISIER_APPLIED: applied.join(' ') };
  return { ...step, action: { $case: 'migrate', value: { ...step.action.value, environment } } };
}

function undo(plan: DeploymentPlan, prepared: RunRow | undefined): RunWork {
  const previous = prepared?.previousRelease ?? '';
  if (previous === '') {
    const systemdService = plan.target?.systemdService ?? '';
    const step = stepOf('deactivate', 3 * 60_000, { $case: 'deactivate', value: { systemdService } });
    return { steps: [step], commit: '' };
  }
  return { steps: plan.undoTemplate.map((step) => forRelease(step, previous)), commit: previous };
}

function forRelease(step: Step, commit: string): Step {
  const { action } = step;
  if (action?.$case === 'activate') {
    return { ...step, action: { ...action, value: { ...action.value, commit } } };
  }
  if (action?.$case === 'health') {
    const expectVersion = action.value.versionField === '' ? '' : commit;
    return { ...step, action: { ...action, value: { ...action.value, commit, expectVersion } } };
  }
  if (action?.$case === 'restart' && action.value.how?.$case === 'command') {
    const { how } = action.value;
    const again = { ...how, value: { ...how.value, commit } };
    return { ...step, action: { ...action, value: { ...action.value, how: again } } };
  }
  return step;
}
