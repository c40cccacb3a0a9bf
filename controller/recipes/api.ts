import { Direction, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Database, Environment, HealthCheck } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import type { Recipe } from './recipe.js';

const PREFLIGHT_MS = 60_000;
const FETCH_MS = 10 * 60_000;
const STAGE_MS = 5 * 60_000;
const ACTIVATE_MS = 60_000;
const UNIT_RESTART_MS = 3 * 60_000;
const PRUNE_MS = 5 * 60_000;
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/**
 * A web service: staged beside the live release, migrated once, then released host by host behind its health check.
 * Everything but the migration may be done again after a crash.
 */
export const api: Recipe = {
  prepare: (environment, commit, ref) => [
    step('preflight', PREFLIGHT_MS, { $case: 'preflight', value: { minFreeBytes: MIN_FREE_BYTES } }),
    step('fetch', FETCH_MS, {
      $case: 'fetch',
      value: { repository: environment.repository ?? '', commit, ref, attempts: 3, delayMs: 2000 },
    }),
    step('stage', STAGE_MS, { $case: 'stage', value: { commit } }),
    ...install(environment, commit),
  ],
  measure: (database, commit) =>
    database.status === null ? [] : [measured(database.status, database, commit)],
  migrate: (database, commit) => [
    {
      ...step('migrate', database.timeoutMs, {
        $case: 'migrate',
        value: {
          direction: Direction.UP,
          argv: database.up,
          user: database.user ?? '',
          commit,
          environment: {},
        },
      }),
      repeatable: false,
    },
  ],
  migrateDown: (database, commit) =>
    database.down === null || database.status === null
      ? []
      : [
          {
            ...step('migrate_down', database.timeoutMs, {
              $case: 'migrate',
              value: {
                direction: Direction.DOWN,
                argv: database.down,
                user: database.user ?? '',
                commit,
                environment: {},
              },
            }),
            repeatable: false,
          },
        ],
  release: (environment, commit) => [
    step('activate', ACTIVATE_MS, { $case: 'activate', value: { commit } }),
    ...restart(environment, commit),
    ...health(environment.healthCheck, commit),
  ],
  prune: (environment, commit) => [
    step('prune', PRUNE_MS, {
      $case: 'prune',
      value: { keep: environment.keepReleases, keepCommits: [commit] },
    }),
  ],
};

function install({ install: wanted }: Environment, commit: string): Step[] {
  if (wanted === null) return [];
  return [step('install', wanted.timeoutMs, { $case: 'command', value: commandOf(wanted, commit) })];
}

function measured(argv: readonly string[], database: Database, commit: string): Step {
  return step('migration_status', database.timeoutMs, {
    $case: 'migrationStatus',
    value: { argv, user: database.user ?? '', commit, expect: undefined },
  });
}

function restart(environment: Environment, commit: string): Step[] {
  if (environment.systemdService !== null) {
    const how = { $case: 'systemdService', value: environment.systemdService } as const;
    return [step('restart', UNIT_RESTART_MS, { $case: 'restart', value: { how } })];
  }
  if (environment.restart === null) return [];
  const how = { $case: 'command', value: commandOf(environment.restart, commit) } as const;
  return [step('restart', environment.restart.timeoutMs, { $case: 'restart', value: { how } })];
}

function health(check: HealthCheck | null, commit: string): Step[] {
  if (check === null) return [];
  const longest = check.attempts * (check.delayMs + check.timeoutMs) + check.stableForMs + 10_000;
  return [
    step('health', longest, {
      $case: 'health',
      value: {
        url: check.url,
        attempts: check.attempts,
        delayMs: check.delayMs,
        timeoutMs: check.timeoutMs,
        expectStatus: check.expectStatus,
        versionField: check.versionField ?? '',
        expectVersion: check.versionField === null ? '' : commit,
        stableForMs: check.stableForMs,
        commit,
      },
    }),
  ];
}

function step(name: string, timeoutMs: number, action: Step['action']): Step {
  return { name, timeoutMs, repeatable: true, action };
}
