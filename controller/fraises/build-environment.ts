import { durationMs } from './duration.js';
import type {
  CommandLine,
  Database,
  Environment,
  HealthCheck,
  HostSelection,
  Provider,
  Rollout,
  UserCommand,
} from './fraises.js';
import type { WrittenSettings } from './fraises-schema.js';
import type { Settings } from './inherit-settings.js';

/** What an environment gets from outside its own settings. */
export interface Surroundings {
  readonly fraise: string;
  readonly environment: string;
  readonly type: Environment['type'];
  readonly defaultProvider: Provider;
  readonly defaultUser: string | null;
  /** Whether `branch_mapping` names it: then it has no branch of its own unless it says so. */
  readonly mapped: boolean;
}

const DEPLOYMENT_MS = 600_000;
const INSTALL_MS = 300_000;
const RESTART_MS = 180_000;

/** Fills in every default. Expects settings that `checkEnvironment` finds no fault with. */
export function buildEnvironment(around: Surroundings, { values }: Settings): Environment {
  const timeoutMs = milliseconds(values.timeout, DEPLOYMENT_MS);
  const repository = values.repository ?? null;
  return {
    fraise: around.fraise,
    name: around.environment,
    type: around.type,
    description: values.description ?? '',
    repository,
    provider: values.provider ?? around.defaultProvider,
    branch: values.branch ?? (values.tags !== undefined || around.mapped ? null : 'main'),
    tags: values.tags ?? null,
    paths: values.paths ?? [],
    hosts: hostSelection(values.hosts),
    appPath: withoutEndSlash(values.app_path ?? ''),
    layout: values.layout ?? (repository === null ? 'in_place' : 'releases'),
    shared: (values.shared ?? []).map(withoutEndSlash),
    user: values.user ?? around.defaultUser,
    environmentFile: values.environment_file ?? null,
    systemdService: values.systemd_service === undefined ? null : serviceName(values.systemd_service),
    restart: userCommand(values.restart, RESTART_MS),
    install: userCommand(values.install, INSTALL_MS),
    database: database(values.database, timeoutMs),
    healthCheck: healthCheck(values.health_check),
    rollout: rollout(values.rollout ?? {}),
    keepReleases: values.keep_releases ?? 5,
    timeoutMs,
    protected: isProtected(around.environment, values),
  };
}

/** Protected unless it says otherwise: environments whose name begins with `prod`. */
export function isProtected(environment: string, values: Pick<WrittenSettings, 'protected'>): boolean {
  return values.protected ?? environment.toLowerCase().startsWith('prod');
}

function hostSelection(written: WrittenSettings['hosts']): HostSelection {
  if (written === undefined) return { by: 'any' };
  if (typeof written === 'string') return { by: 'name', names: [written] };
  if (Array.isArray(written)) return { by: 'name', names: [...new Set(written)] };
  return { by: 'label', labels: { ...written } };
}

/** systemd's own rule: a name without a suffix is a service. */
function serviceName(written: string): string {
  return written.endsWith('.service') ? written : `${written}.service`;
}

function userCommand(written: WrittenSettings['install'], defaultMs: number): UserCommand | null {
  if (written === undefined) return null;
  return {
    command: commandLine(written.command),
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, defaultMs),
  };
}

function commandLine(written: string | readonly string[]): CommandLine {
  return typeof written === 'string' ? { shell: written } : { argv: written };
}

function database(written: WrittenSettings['database'], deploymentMs: number): Database | null {
  if (written === undefined || written.strategy === 'none') return null;
  return {
    strategy: written.strategy === 'rebuild' ? 'rebuild' : 'apply',
    tool: 'command',
    on: written.on ?? null,
    up: written.up ?? [],
    down: written.down ?? null,
    status: written.status ?? null,
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, deploymentMs),
  };
}

function healthCheck(written: WrittenSettings['health_check']): HealthCheck | null {
  if (written === undefined) return null;
  return {
    url: written.url,
    attempts: written.attempts ?? written.retries ?? 10,
    delayMs: milliseconds(written.delay, 3000),
    timeoutMs: milliseconds(written.timeout, 5000),
    expectStatus: written.expect?.status ?? 200,
    versionField: written.expect?.version_field ?? null,
    stableForMs: milliseconds(written.stable_for, 0),
  };
}

function rollout(written: NonNullable<WrittenSettings['rollout']>): Rollout {
  return {
    strategy: written.strategy ?? 'rolling',
    batch: written.batch ?? 1,
    canary: written.canary ?? 0,
    bakeMs: milliseconds(written.bake, 0),
    maxFailures: written.max_failures ?? 0,
    onFailure: written.on_failure ?? 'rollback',
  };
}

function milliseconds(written: string | number | undefined, otherwise: number): number {
  return written === undefined ? otherwise : durationMs(written);
}

function withoutEndSlash(path: string): string {
  return path.replace(/\/$/, '');
}
