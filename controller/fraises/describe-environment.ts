import { formatDuration } from './duration.js';
import type {
  CommandLine,
  Database,
  Environment,
  HealthCheck,
  HostSelection,
  UserCommand,
} from './fraises.js';

/** An environment as text: the file's key for each setting, to its value. What is not set is not in it. */
export function describeEnvironment(environment: Environment): ReadonlyMap<string, string> {
  const { rollout } = environment;
  const parts: Readonly<Record<string, string | null>> = {
    type: environment.type,
    description: environment.description,
    repository: environment.repository,
    provider: environment.provider,
    branch: environment.branch,
    tags: environment.tags,
    paths: list(environment.paths),
    hosts: hosts(environment.hosts),
    app_path: environment.appPath,
    layout: environment.layout,
    shared: list(environment.shared),
    user: environment.user,
    environment_file: environment.environmentFile,
    systemd_service: environment.systemdService,
    ...command('restart', environment.restart),
    ...command('install', environment.install),
    ...database(environment.database),
    ...healthCheck(environment.healthCheck),
    'rollout.strategy': rollout.strategy,
    'rollout.batch': String(rollout.batch),
    'rollout.canary': String(rollout.canary),
    'rollout.bake': formatDuration(rollout.bakeMs),
    'rollout.max_failures': String(rollout.maxFailures),
    'rollout.on_failure': rollout.onFailure,
    keep_releases: String(environment.keepReleases),
    timeout: formatDuration(environment.timeoutMs),
    protected: String(environment.protected),
  };
  return new Map(
    Object.entries(parts).flatMap(([key, value]) => (value === null || value === '' ? [] : [[key, value]])),
  );
}

function database(one: Database | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    'database.strategy': one.strategy,
    'database.tool': one.tool,
    'database.on': one.on,
    'database.up': words(one.up),
    'database.down': one.down && words(one.down),
    'database.status': one.status && words(one.status),
    'database.user': one.user,
    'database.timeout': formatDuration(one.timeoutMs),
  };
}

function healthCheck(one: HealthCheck | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    'health_check.url': one.url,
    'health_check.attempts': String(one.attempts),
    'health_check.delay': formatDuration(one.delayMs),
    'health_check.timeout': formatDuration(one.timeoutMs),
    'health_check.expect.status': String(one.expectStatus),
    'health_check.expect.version_field': one.versionField,
    'health_check.stable_for': formatDuration(one.stableForMs),
  };
}

function command(key: string, one: UserCommand | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    [`${key}.command`]: commandLine(one.command),
    [`${key}.user`]: one.user,
    [`${key}.timeout`]: formatDuration(one.timeoutMs),
  };
}

function commandLine(line: CommandLine): string {
  return 'argv' in line ? words(line.argv) : JSON.stringify(line.shell);
}

/** Words as they are, those that would run together in JSON's quotes; a shell string is always quoted, so both differ. */
function words(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
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
