import { asSecret, writtenSecrets } from './build-git-hosts.js';
import { milliseconds, userCommand } from './build-command.js';
import { buildDatabase } from './build-database.js';
import { buildHealthCheck } from './build-health.js';
import { buildHooks } from './build-hooks.js';
import { buildKind, serviceName } from './build-jobs.js';
import { buildRollout } from './build-rollout.js';
import { durationMs } from './duration.js';
import type { Environment, HostSelection, Provider } from './fraises.js';
import type { TopLevel, WrittenSettings } from './fraises-schema.js';
import type { Settings } from './inherit-settings.js';

/** What an environment gets from outside its own settings. */
export interface Surroundings {
  readonly fraise: string;
  readonly environment: string;
  readonly type: Environment['type'];
  readonly defaultProvider: Provider;
  readonly defaultUser: string | null;
  /** `git:` as it is written, for what holds unless an environment says otherwise. */
  readonly git: TopLevel['git'];
  /** Whether `branch_mapping` names it: then it has no branch of its own unless it says so. */
  readonly mapped: boolean;
}

const DEPLOYMENT_MS = 600_000;
const INSTALL_MS = 300_000;
const RESTART_MS = 180_000;

/** Fills in every default. Expects settings that `checkEnvironment` finds no fault with. */
export function buildEnvironment(around: Surroundings, { values, pathOf }: Settings): Environment {
  const timeoutMs = milliseconds(values.timeout, DEPLOYMENT_MS);
  const repository = values.repository ?? null;
  return {
    fraise: around.fraise,
    name: around.environment,
    type: around.type,
    description: values.description ?? '',
    repository,
    provider: values.provider ?? around.defaultProvider,
    ...branches(around, values),
    tags: values.tags ?? null,
    paths: values.paths ?? [],
    skipMarker: values.skip_marker ?? false,
    ...missedPushes(around, values),
    webhookSecrets: writtenSecrets(values.webhook_secret, pathOf('webhook_secret')).map(asSecret),
    hosts: hostSelection(values.hosts),
    appPath: withoutEndSlash(values.app_path ?? ''),
    layout: values.layout ?? (repository === null ? 'in_place' : 'releases'),
    shared: (values.shared ?? []).map(withoutEndSlash),
    submodules: values.submodules ?? false,
    cloneFilter: values.clone?.filter ?? null,
    root: values.root === undefined ? null : withoutEndSlash(values.root),
    user: values.user ?? around.defaultUser,
    environmentFile: values.environment_file ?? null,
    systemdService: restartedUnit(around.type, values.systemd_service),
    systemdSocket: values.systemd_socket ?? null,
    restartMode: values.restart_mode ?? 'restart',
    restart: userCommand(values.restart, RESTART_MS),
    install: userCommand(values.install, INSTALL_MS),
    database: buildDatabase(values.database, timeoutMs),
    healthCheck: buildHealthCheck(
      values.health_check,
      around.type,
      values.systemd_service === undefined ? null : serviceName(values.systemd_service),
    ),
    rollout: buildRollout(values.rollout ?? {}),
    hooks: buildHooks(values.hooks),
    ...buildKind(around.type, values, timeoutMs),
    keepReleases: values.keep_releases ?? 5,
    timeoutMs,
    protected: isProtected(around.environment, values),
  };
}

/** What the environment says, otherwise what its git host says. */
function missedPushes(
  { git, defaultProvider }: Surroundings,
  { provider = defaultProvider, missed_push_check, missed_push }: Settings['values'],
): Pick<Environment, 'missedPushCheckMs' | 'missedPush'> {
  const check = missed_push_check ?? git?.[provider]?.missed_push_check;
  return {
    missedPushCheckMs: check === undefined ? null : durationMs(check),
    missedPush: missed_push ?? git?.[provider]?.missed_push ?? 'record',
  };
}

/** A pattern is kept apart: only an exact branch can be deployed by its name. */
function branches(
  { mapped }: Surroundings,
  { branch, tags }: Settings['values'],
): Pick<Environment, 'branch' | 'branchPattern'> {
  if (branch === undefined)
    return { branch: tags !== undefined || mapped ? null : 'main', branchPattern: null };
  return /[*?]/.test(branch) ? { branch: null, branchPattern: branch } : { branch, branchPattern: null };
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

/** Of a scheduled fraise it is what the timer starts. */
function restartedUnit(type: Environment['type'], written: string | undefined): string | null {
  return written === undefined || type === 'scheduled' ? null : serviceName(written);
}

function withoutEndSlash(path: string): string {
  return path.replace(/\/$/, '');
}
