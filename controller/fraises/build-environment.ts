import { milliseconds, userCommand } from './build-command.js';
import { buildDatabase } from './build-database.js';
import { buildHealthCheck } from './build-health.js';
import { buildRollout } from './build-rollout.js';
import type { Environment, HostSelection, Provider } from './fraises.js';
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
    database: buildDatabase(values.database, timeoutMs),
    healthCheck: buildHealthCheck(values.health_check),
    rollout: buildRollout(values.rollout ?? {}),
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

function withoutEndSlash(path: string): string {
  return path.replace(/\/$/, '');
}
