import { DeploymentPlan, Layout, Phase, Target, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Database, Environment } from '../fraises/fraises.js';
import { api } from '../recipes/api.js';
import type { Recipe } from '../recipes/recipe.js';

/** What a plan is made of; `hosts` in the order in which they are released. */
export interface PlanInput {
  readonly environment: Environment;
  readonly commit: string;
  readonly ref: string;
  readonly hosts: readonly string[];
  readonly madeAt: Date;
}

/**
 * Makes the plan that a deployment is frozen to. Only the migrating host measures the database in `prepare`;
 * `stepsOfRun` (steps-of-run.ts) says what one run of the plan does on one host.
 */
export function makePlan({ environment, commit, ref, hosts, madeAt }: PlanInput): DeploymentPlan {
  const recipe = recipeOf(environment);
  const database = migrating(environment.database);
  const phase = (name: Phase, steps: readonly Step[]) => ({ phase: name, steps });
  return DeploymentPlan.fromPartial({
    target: targetOf(environment),
    commit,
    hosts: hosts.map((host, index) => ({ host, batch: batchOf(environment, index) })),
    migratingHost: database === null ? '' : (database.on ?? hosts[0] ?? ''),
    phases: [
      phase(Phase.PREPARE, recipe.prepare(environment, commit, ref)),
      phase(Phase.RELEASE, recipe.release(environment, commit)),
      phase(Phase.PRUNE, recipe.prune(environment, commit)),
      ...(database === null ? [] : [phase(Phase.MIGRATE, recipe.migrate(database, commit))]),
    ],
    measure: database === null ? [] : recipe.measure(database, commit),
    migrateDownTemplate: database === null ? [] : recipe.migrateDown(database, commit),
    undoTemplate: recipe.undo(environment, commit),
    pointOfNoReturn: pointOfNoReturn(database),
    onFailure: environment.rollout.onFailure,
    maxFailures: environment.rollout.maxFailures,
    bakeMs: environment.rollout.bakeMs,
    timeoutMs: environment.timeoutMs,
    warnings: warnings(environment),
    madeAt,
  });
}

/** Where on a host an environment lives, as the agent is told. */
export function targetOf(environment: Environment): Target {
  return Target.fromPartial({
    fraise: environment.fraise,
    environment: environment.name,
    appPath: environment.appPath,
    layout: environment.layout === 'releases' ? Layout.RELEASES : Layout.IN_PLACE,
    user: environment.user ?? '',
    environmentFile: environment.environmentFile ?? '',
    repository: environment.repository ?? '',
    shared: environment.shared,
    systemdService: environment.systemdService ?? '',
  });
}

function recipeOf(environment: Environment): Recipe {
  switch (environment.type) {
    case 'api':
    case 'etl':
    case 'scheduled':
      return api;
  }
}

function migrating(database: Database | null): Database | null {
  return database === null || database.strategy === 'none' ? null : database;
}

function batchOf({ rollout }: Environment, index: number): number {
  if (rollout.strategy === 'all_at_once') return 0;
  if (index < rollout.canary) return 0;
  return Math.floor((index - rollout.canary) / rollout.batch) + (rollout.canary > 0 ? 1 : 0);
}

function pointOfNoReturn(database: Database | null): string {
  if (database === null) return '';
  if (database.status === null)
    return 'migrate: the tool has no `status` command, so what it applied cannot be known';
  if (database.down === null) return 'migrate: there is no `down` command';
  return '';
}

function warnings(environment: Environment): string[] {
  const said: string[] = [];
  if (environment.healthCheck === null) {
    said.push('no health_check: a release counts as healthy as soon as its restart succeeded');
  }
  if (environment.systemdService === null && environment.restart === null) {
    said.push('neither systemd_service nor restart: nothing is restarted after the new release is activated');
  }
  return said;
}
