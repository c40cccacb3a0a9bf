import { error, warning } from './finding.js';
import type { Finding, Path } from './finding.js';

/**
 * Keys that mean something in the original, or in a later version, and do nothing here. An `error` where going on
 * without them would change what happens on a host, else a `warning`. None is dropped silently.
 */
export function takeOutUnsupported(value: unknown): {
  readonly value: unknown;
  readonly findings: readonly Finding[];
} {
  const findings: Finding[] = [];
  return { value: takeOut(value, 'file', [], findings), findings };
}

type Level = keyof typeof INSIDE;
type Table = Readonly<Record<string, readonly ['error' | 'warning', string]>>;

function takeOut(value: unknown, level: Level, path: Path, findings: Finding[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const known = Object.hasOwn(UNSUPPORTED[level] ?? {}, key) ? UNSUPPORTED[level]?.[key] : undefined;
    const next = insideOf(level, key);
    if (known !== undefined) findings.push(finding(known, [...path, key]));
    else kept.push([key, next === null ? inner : takeOut(inner, next, [...path, key], findings)]);
  }
  return Object.fromEntries(kept);
}

function finding([severity, message]: Table[string], path: Path): Finding {
  return severity === 'error' ? error(path, message, 'key') : warning(path, message, 'key');
}

function insideOf(level: Level, key: string): Level | null {
  const inside: Readonly<Record<string, Level>> = INSIDE[level];
  if (Object.hasOwn(inside, key)) return inside[key] as Level;
  return inside['*'] ?? null;
}

const SETTINGS = {
  health_check: 'health_check',
  database: 'database',
  rollout: 'rollout',
  jobs: 'jobs',
} as const;

/** Which level a key leads to; `*` is any key. */
const INSIDE = {
  file: { git: 'git', fraises: 'fraises' },
  git: { '*': 'git_host' },
  git_host: {},
  fraises: { '*': 'fraise' },
  fraise: { environments: 'environments', ...SETTINGS },
  environments: { '*': 'environment' },
  environment: SETTINGS,
  health_check: {},
  database: {},
  rollout: {},
  jobs: { '*': 'job' },
  job: {},
} as const satisfies Record<string, Readonly<Record<string, string>>>;

const SCAFFOLD = [
  'warning',
  'not used: Fraisier writes no units, proxies or backups; keep them on the host',
] as const;
const ORIGINAL_ONLY = ['warning', "not used: a setting of the original's own process on each host"] as const;
const NO_NOTIFICATIONS = ['warning', 'not used: this version sends no notifications'] as const;
const DOCUMENTED_ONLY = ['error', 'not available in this version; see rollout'] as const;
const ON_THE_HOST = [
  'error',
  'not taken from this file, every version of which is kept; put it into the environment_file on the host',
] as const;
const IN_TOOL = [
  'error',
  'not available in this version; let the commands up, down and status do it',
] as const;
const TOOL_SETTING = [
  'warning',
  'not used: the commands up, down and status know their own settings',
] as const;

const ANYWHERE: Table = {
  ssh: ['error', 'not used: install an agent on that host and name it in hosts'],
  external_db: ['error', 'leave database out, or say database: { strategy: none }'],
  git: ['error', 'not possible here; say provider: github, gitlab, gitea or bitbucket'],
  provider_config: ['error', 'not possible here; say hosts, app_path and systemd_service'],
  deployment_strategy: DOCUMENTED_ONLY,
  max_instances_down: DOCUMENTED_ONLY,
  canary_percentage: DOCUMENTED_ONLY,
  allow_irreversible: ['error', 'write it as database: { allow_irreversible: … }'],
  name: ['warning', 'not used: an environment is called by its key'],
  notifications: NO_NOTIFICATIONS,
  ...all(ORIGINAL_ONLY, ['ssh_host', 'ssh_user', 'ssh_port', 'repos_base', 'lock_timeout', 'status_dir']),
  ...all(ORIGINAL_ONLY, ['systemd_deploy_socket', 'schema_command', 'compile_command']),
  ...all(SCAFFOLD, ['service', 'nginx', 'port', 'worker_count', 'exec_command', 'memory_max', 'server_name']),
  ...all(SCAFFOLD, ['location', 'backup_enabled', 'backup_path', 'backup_retention_days']),
  ...all(SCAFFOLD, ['compose_file', 'compose_command', 'project_name', 'service_name', 'image_tag']),
};

const UNSUPPORTED: Readonly<Partial<Record<Level, Table>>> = {
  file: {
    hooks: [
      'error',
      'not possible here (nor were they run in the original); say hooks at a fraise or an environment',
    ],
    notifications: NO_NOTIFICATIONS,
    environments: ['warning', 'not used: say hosts in each environment of a fraise'],
    scaffold: SCAFFOLD,
    backup: SCAFFOLD,
    ...all(ORIGINAL_ONLY, ['deployment', 'health', 'ship', 'bootstrap', 'webhook', 'servers']),
  },
  git_host: { server: ORIGINAL_ONLY },
  job: {
    ...all(['warning', 'not used: the timer says when its job runs'], ['schedule']),
    ...all(['warning', 'not used: the service says what it starts'], ['script_path']),
    ...all(ORIGINAL_ONLY, ['name', 'retention_days', 'depends_on']),
  },
  fraise: ANYWHERE,
  environment: ANYWHERE,
  health_check: {
    migration_field: ['error', 'not available in this version; use expect: { json: … }'],
    version_field: ['error', 'write it as expect: { version_field: … }'],
    ...all(ORIGINAL_ONLY, ['auto_rollback_on_failure', 'rollback_if_errors_exceed', 'check_interval']),
  },
  database: {
    ...all(ON_THE_HOST, ['database_url', 'admin_url', 'url', 'password']),
    ...all(IN_TOOL, ['pre_migrate_verify', 'required_roles', 'restore', 'hooks']),
    backup_before_deploy: ['error', 'write it as backup_before: { command: …, verify: … }'],
    ...all(IN_TOOL, ['post_migrate', 'smoke_tests', 'preflight', 'pre_migrate_dump', 'post_migrate_check']),
    ...all(TOOL_SETTING, ['name', 'dbname', 'host', 'port', 'type', 'framework', 'confiture_config']),
    ...all(TOOL_SETTING, ['migrations_dir', 'template_prefix', 'pool_size', 'max_overflow', 'pool_recycle']),
  },
};

function all(entry: Table[string], keys: readonly string[]): Table {
  return Object.fromEntries(keys.map((key) => [key, entry]));
}
