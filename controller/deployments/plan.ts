import {
  DeploymentPlan,
  Layout,
  Phase,
  Target,
  type Rollback,
  type Step,
} from '../../proto/gen/fraisier/v1/plan.js';
import type { Database, Environment } from '../fraises/fraises.js';
import { api } from '../recipes/api.js';
import { etl, withoutRun } from '../recipes/etl.js';
import { migrationOf } from '../recipes/database.js';
import { hooksAt } from '../recipes/hooks.js';
import { migrationTool } from '../recipes/migration-tools/index.js';
import type { Recipe } from '../recipes/recipe.js';
import { scheduled } from '../recipes/scheduled.js';
import { asking } from '../recipes/settled.js';
import { atMost, batchSizesOf, dealBatches, hostsIn } from './batches.js';
import type { Zones } from './zones.js';

/** What a plan is made of; `hosts` in the order in which they are released. */
export interface PlanInput {
  readonly environment: Environment;
  readonly commit: string;
  readonly ref: string;
  readonly hosts: readonly string[];
  readonly madeAt: Date;
  /** Do again what an earlier deployment of this commit did already. */
  readonly force?: boolean;
  /** Ask each host first whether it has anything to do. */
  readonly settle?: boolean;
  /** Of a rollback on demand: nothing is migrated, and the database goes down last, from the tree of `from`. */
  readonly rollback?: Rollback | null;
  /** Every host of the environment; those that are not deployed to are left alone and count as they are. */
  readonly fleet?: readonly string[];
  /** Those of them that were away and are left out for that. */
  readonly leftOut?: readonly string[];
  readonly zones?: Zones;
  /** Brings live what is live elsewhere: the database is as it must be. */
  readonly catchesUp?: boolean;
}

/**
 * Makes the plan that a deployment is frozen to. Only the migrating host measures the database in `prepare`;
 * `stepsOfRun` (steps-of-run.ts) says what one run of the plan does on one host.
 */
export function makePlan(input: PlanInput): DeploymentPlan {
  const { environment, commit, ref, hosts, madeAt, rollback = null, catchesUp = false } = input;
  const { fleet = hosts, leftOut = [], settle = false } = input;
  const { rollout } = environment;
  const recipe = recipeOf(environment);
  const database = catchesUp ? null : databaseOf(environment, rollback);
  const released = recipe.release(environment, commit);
  const release =
    rollback === null ? released : [...withoutRun(released), ...rolledBack(environment, commit)];
  const prepare = recipe.prepare(environment, commit, ref, input.force ?? false);
  const batchSizes = batchSizesOf(rollout, hosts.length);
  const minHealthy = hostsIn(rollout.minHealthy, fleet.length);
  const health = minHealthy > 0 || hosts.length > (batchSizes[0] as number);
  const phase = (name: Phase, steps: readonly Step[]) => ({ phase: name, steps });
  return DeploymentPlan.fromPartial({
    target: targetOf(environment),
    commit,
    hosts: inBatches(hosts, batchSizes, input),
    migratingHost: database === null ? '' : (database.on ?? hosts[0] ?? ''),
    phases: [
      phase(Phase.PREPARE, asking(prepare, release, { settle, health })),
      phase(Phase.RELEASE, release),
      phase(Phase.PRUNE, recipe.prune(environment, commit)),
      ...(database === null || rollback !== null
        ? []
        : [phase(Phase.MIGRATE, migrateHooks(environment, commit))]),
    ],
    migration: database === null ? undefined : migrationOf(database),
    undoTemplate: recipe.undo(environment, commit),
    pointOfNoReturn: rollback === null ? pointOfNoReturn(database) : '',
    onFailure: rollout.onFailure,
    maxFailures: atMost(rollout.maxFailures, hosts.length),
    minHealthy,
    bakeMs: rollout.bakeMs,
    progressMs: rollout.progressMs,
    batchSizes,
    beside: fleet.filter((host) => !hosts.includes(host)),
    leftOut,
    catchesUp,
    timeoutMs: environment.timeoutMs,
    warnings: [...warnings(environment), ...away([...leftOut, ...(rollback?.skipped ?? [])])],
    madeAt,
    rollback: rollback ?? undefined,
  });
}

/** In the order of release. All at once is all zones at once. */
function inBatches(
  hosts: readonly string[],
  sizes: readonly number[],
  { environment, zones }: PlanInput,
): DeploymentPlan['hosts'] {
  const isRolling = environment.rollout.strategy === 'rolling';
  const zoned = hosts.map((host) => (isRolling ? (zones?.get(host) ?? '') : ''));
  const batches = dealBatches(zoned, sizes);
  return hosts.map((host, at) => ({ host, batch: batches[at] as number, zone: zoned[at] as string }));
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
    systemdSocket: environment.systemdSocket ?? '',
    root: environment.root ?? '',
    jobs: environment.jobs.map((job) => ({
      ...job,
      serviceFile: job.serviceFile ?? '',
      timerFile: job.timerFile ?? '',
    })),
    units: environment.units ?? '',
  });
}

function recipeOf(environment: Environment): Recipe {
  switch (environment.type) {
    case 'api':
      return api;
    case 'etl':
      return etl;
    case 'scheduled':
      return scheduled;
  }
}

/** A rollback on demand is a release like any other, and ends as an undo does. */
function rolledBack(environment: Environment, commit: string): readonly Step[] {
  return hooksAt(environment, 'on_rollback', commit, { mayFail: true });
}

/** `stepsOfRun` puts the migration between them, with the looks before and after it. */
function migrateHooks(environment: Environment, commit: string): readonly Step[] {
  return [
    ...hooksAt(environment, 'before_migrate', commit),
    ...hooksAt(environment, 'after_migrate', commit),
  ];
}

/** A rollback that leaves the database alone does not even look at it. */
function databaseOf({ database }: Environment, rollback: Rollback | null): Database | null {
  return rollback !== null && rollback.applied.length === 0 ? null : migrating(database);
}

function migrating(database: Database | null): Database | null {
  return database === null || database.strategy === 'none' ? null : database;
}

function pointOfNoReturn(database: Database | null): string {
  if (database === null) return '';
  const tool = migrationTool(database.tool);
  if (database.strategy === 'rebuild') return 'migrate: rebuild drops the database and makes it anew';
  if (database.status === null && tool.status({ program: [], directory: '' }).length === 0)
    return 'migrate: the tool has no `status` command, so what it applied cannot be known';
  if (database.down === null && tool.down === null) return 'migrate: there is no `down` command';
  return '';
}

function away(hosts: readonly string[]): string[] {
  return hosts.map((host) => `${host} does not answer: it is left as it is`);
}

function warnings(environment: Environment): string[] {
  const said: string[] = [];
  if (environment.type !== 'api') return said;
  if (environment.healthCheck === null) {
    said.push('no health_check: a release counts as healthy as soon as its restart succeeded');
  }
  if (environment.systemdService === null && environment.restart === null) {
    said.push('neither systemd_service nor restart: nothing is restarted after the new release is activated');
  }
  return said;
}
