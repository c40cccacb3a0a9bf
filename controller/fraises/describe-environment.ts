import { commandText, words } from './describe-command.js';
import { describeDatabase } from './describe-database.js';
import { describeHealth } from './describe-health.js';
import { describeKind } from './describe-jobs.js';
import { formatDuration } from './duration.js';
import { HOOK_POINTS } from './fraises.js';
import type { Environment, Hook, Hooks, HostSelection, UserCommand } from './fraises.js';

/** An environment as text: the file's key for each setting, to its value. What is not set is not in it. */
export function describeEnvironment(environment: Environment): ReadonlyMap<string, string> {
  const { rollout } = environment;
  const parts: Readonly<Record<string, string | null>> = {
    type: environment.type,
    description: environment.description,
    repository: environment.repository,
    provider: environment.provider,
    branch: environment.branch ?? environment.branchPattern,
    tags: environment.tags,
    paths: list(environment.paths),
    skip_marker: environment.skipMarker ? 'true' : null,
    missed_push_check:
      environment.missedPushCheckMs === null ? null : formatDuration(environment.missedPushCheckMs),
    missed_push: environment.missedPushCheckMs === null ? null : environment.missedPush,
    hosts: hosts(environment.hosts),
    app_path: environment.appPath,
    layout: environment.layout,
    shared: list(environment.shared),
    submodules: environment.submodules ? 'true' : null,
    'clone.filter': environment.cloneFilter,
    root: environment.root,
    user: environment.user,
    environment_file: environment.environmentFile,
    systemd_service: environment.systemdService,
    systemd_socket: environment.systemdSocket,
    restart_mode: environment.restartMode === 'restart' ? null : environment.restartMode,
    ...command('restart', environment.restart),
    ...command('install', environment.install),
    ...describeDatabase(environment.database),
    ...describeHealth(environment.healthCheck),
    'rollout.strategy': rollout.strategy,
    'rollout.batch': rollout.batch.join(', '),
    'rollout.canary': String(rollout.canary),
    'rollout.bake': formatDuration(rollout.bakeMs),
    'rollout.zones': list(rollout.zones),
    'rollout.max_failures': String(rollout.maxFailures),
    'rollout.min_healthy': String(rollout.minHealthy),
    'rollout.progress_deadline': rollout.progressMs === 0 ? null : formatDuration(rollout.progressMs),
    'rollout.catch_up': rollout.catchUp ? 'true' : null,
    'rollout.on_failure': rollout.onFailure,
    ...hooks(environment.hooks),
    ...describeKind(environment),
    keep_releases: String(environment.keepReleases),
    timeout: formatDuration(environment.timeoutMs),
    protected: String(environment.protected),
  };
  return new Map(
    Object.entries(parts).flatMap(([key, value]) => (value === null || value === '' ? [] : [[key, value]])),
  );
}

function command(key: string, one: UserCommand | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    [`${key}.command`]: commandText(one.command),
    [`${key}.user`]: one.user,
    [`${key}.timeout`]: formatDuration(one.timeoutMs),
  };
}

/** The second hook of a point is its `.2`. */
function hooks(all: Hooks): Readonly<Record<string, string | null>> {
  const parts = HOOK_POINTS.flatMap((point) =>
    (all[point] ?? []).map((one, at) => hook(`hooks.${point}${at === 0 ? '' : `.${at + 1}`}`, one)),
  );
  return Object.assign({}, ...parts) as Readonly<Record<string, string | null>>;
}

function hook(key: string, one: Hook): Readonly<Record<string, string | null>> {
  const variables = Object.entries(one.environment).map(([name, value]) => `${name}=${value}`);
  return {
    ...command(key, one),
    [`${key}.environment`]: words(variables),
    [`${key}.repeatable`]: one.repeatable ? 'true' : null,
  };
}

function list(values: readonly string[]): string {
  return values.join(', ');
}

function hosts(selection: HostSelection): string {
  switch (selection.by) {
    case 'any':
      return 'the only agent';
    case 'name':
      return list(selection.names);
    case 'label':
      return list(Object.entries(selection.labels).map(([key, value]) => `${key}=${value}`));
  }
}
