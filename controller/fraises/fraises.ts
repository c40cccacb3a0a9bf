import type { MigrationToolName } from '../recipes/migration-tools/index.js';

/** What `fraises.yaml` means once it is parsed: complete, defaults filled in, durations in ms. */

export const PROVIDERS = ['github', 'gitlab', 'gitea', 'bitbucket'] as const;
export type Provider = (typeof PROVIDERS)[number];

/**
 * A value that may name environment variables of the controller (`${NAME}`, `${NAME:-default}`). Kept as written;
 * `resolveSecret` turns it into the value at each use, so that it is never stored or logged.
 */
export interface Secret {
  readonly template: string;
  /** Where it stands in the file, e.g. `git.github.webhook_secret`. */
  readonly path: string;
}

export interface GitHost {
  readonly provider: Provider;
  readonly baseUrl: string;
  /** Several during a rotation. */
  readonly webhookSecrets: readonly Secret[];
  /** With which commits get their status there; null: they get none. */
  readonly statusToken: Secret | null;
}

/** argv, or the string the user wrote for a shell. */
export type CommandLine = { readonly argv: readonly string[] } | { readonly shell: string };

export interface UserCommand {
  readonly command: CommandLine;
  readonly user: string | null;
  readonly timeoutMs: number;
}

/** Where in a deployment a user can hook something in, in the order in which a deployment comes by. */
export const HOOK_POINTS = [
  'before_deploy',
  'before_migrate',
  'after_migrate',
  'before_activate',
  'before_restart',
  'after_restart',
  'after_health',
  'on_failure',
  'on_rollback',
] as const;
export type HookPoint = (typeof HOOK_POINTS)[number];

export interface Hook extends UserCommand {
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it may be run again when its outcome is not known. */
  readonly repeatable: boolean;
}

export type Hooks = Readonly<Partial<Record<HookPoint, readonly Hook[]>>>;

/** Named hosts, or every enrolled host with these labels, or (`any`) the only enrolled agent. */
export type HostSelection =
  | { readonly by: 'name'; readonly names: readonly string[] }
  | { readonly by: 'label'; readonly labels: Readonly<Record<string, string>> }
  | { readonly by: 'any' };

export interface Database {
  readonly strategy: 'apply' | 'rebuild' | 'none';
  readonly tool: MigrationToolName;
  /** The host that migrates; null: the first of the plan. */
  readonly on: string | null;
  /** The words before the tool's own; null: its name. */
  readonly command: readonly string[] | null;
  /** Folder of the migrations; null: the tool's own. */
  readonly directory: string | null;
  /** Null: the tool's own. */
  readonly up: readonly string[] | null;
  /** Null: the tool's own; if it has none, there is no way down, a point of no return. */
  readonly down: readonly string[] | null;
  /** Null: the tool's own; if it has none, what is applied cannot be known, so it cannot be undone. */
  readonly status: readonly string[] | null;
  readonly user: string | null;
  readonly timeoutMs: number;
  readonly lockTimeoutMs: number | null;
  readonly statementTimeoutMs: number | null;
  /** Migrations without a way down are applied all the same. */
  readonly allowIrreversible: boolean;
  /** Without it succeeding, and verified, nothing is migrated. */
  readonly backupBefore: BackupCommand | null;
}

export interface BackupCommand extends UserCommand {
  readonly verify: CommandLine | null;
}

/** When a release counts as healthy: all of `checks` are, at once. */
export interface HealthCheck {
  readonly checks: readonly Check[];
  readonly attempts: number;
  readonly delayMs: number;
  /** Each pause is the one before times this, up to `maxDelayMs`; 1: all are `delayMs`. */
  readonly backoff: number;
  readonly maxDelayMs: number;
  readonly startGraceMs: number;
  readonly stableForMs: number;
  /** Of everything together; null: no more than the attempts. */
  readonly deadlineMs: number | null;
}

/** One thing to look at; `timeoutMs` is of one look. */
export type Check = { readonly timeoutMs: number } & (
  | HttpCheck
  | { readonly by: 'tcp'; readonly host: string; readonly port: number }
  | { readonly by: 'command'; readonly command: CommandLine; readonly user: string | null }
  | { readonly by: 'unit'; readonly unit: string }
  | { readonly by: 'timers' }
);

export interface HttpCheck {
  readonly by: 'http';
  readonly url: string;
  readonly statuses: readonly number[];
  readonly versionField: string | null;
  /** Dotted path in the JSON answer to the value it must have, as text. */
  readonly json: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** `${NAME}` in a value is filled in on the host, from its environment file. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: {
    readonly caFile: string | null;
    readonly serverName: string | null;
    readonly insecure: boolean;
  };
}

/** Hosts released at once: how many, or how much of all of them. */
export type BatchSize = number | `${number}%`;

/** So many hosts, or so much of all of them. */
export type HostCount = number | `${number}%`;

export interface Rollout {
  readonly strategy: 'rolling' | 'all_at_once';
  /** Of the batches in turn, at least one; the last is that of all that follow. */
  readonly batch: readonly BatchSize[];
  /** Hosts of a first batch of its own; 0: none. */
  readonly canary: number;
  readonly bakeMs: number;
  /** Values of the label `zone` in the order of release; those that are not named follow, by name. */
  readonly zones: readonly string[];
  /** A percentage of the hosts of the deployment, rounded down. */
  readonly maxFailures: HostCount;
  /** A percentage of all hosts of the environment, rounded up. */
  readonly minHealthy: HostCount;
  /** From one success on a host to the next; 0: no limit. */
  readonly progressMs: number;
  /** Whether a host that was left out is deployed to when it returns. */
  readonly catchUp: boolean;
  readonly onFailure: 'rollback' | 'pause' | 'stop';
}

/** The script of an etl. */
export interface Script {
  /** Below the root. */
  readonly path: string;
  /** Only looked at, or run once the release is live. */
  readonly run: 'verify' | 'after_deploy';
  readonly timeoutMs: number;
  /** Whether it may be run again when its outcome is not known. */
  readonly repeatable: boolean;
}

/** A timer of a scheduled fraise and the service it starts; the files are paths in the repository. */
export interface Job {
  readonly name: string;
  readonly timer: string;
  readonly service: string;
  readonly timerFile: string | null;
  readonly serviceFile: string | null;
}

export interface Environment {
  readonly fraise: string;
  readonly name: string;
  readonly type: 'api' | 'etl' | 'scheduled';
  readonly description: string;
  /** Null: deployed in place from the checkout at appPath and its `origin`. */
  readonly repository: string | null;
  readonly provider: Provider;
  /** The branch whose pushes are deployed here; null when only a pattern, branch_mapping or tags say. */
  readonly branch: string | null;
  /** Pushes to every branch like this are deployed here; stands instead of `branch`. */
  readonly branchPattern: string | null;
  readonly tags: string | null;
  readonly paths: readonly string[];
  /** Whether `[skip deploy]` in the head commit of a push keeps it from being deployed here. */
  readonly skipMarker: boolean;
  /** How often an agent looks for pushes that no delivery told; null: never. */
  readonly missedPushCheckMs: number | null;
  /** What becomes of such a push. */
  readonly missedPush: 'record' | 'deploy';
  /** Secrets of webhooks of this repository, beside those of its git host. */
  readonly webhookSecrets: readonly Secret[];
  readonly hosts: HostSelection;
  readonly appPath: string;
  readonly layout: 'releases' | 'in_place';
  readonly shared: readonly string[];
  /** Whether the commit's submodules are deployed with it. */
  readonly submodules: boolean;
  /** What agents leave out of their mirrors until it is needed; null: nothing. */
  readonly cloneFilter: 'blob:none' | null;
  /** Sub-folder of the repository in which commands run; null: its top. */
  readonly root: string | null;
  readonly user: string | null;
  readonly environmentFile: string | null;
  readonly systemdService: string | null;
  /** The socket unit in front of the service; null: none. */
  readonly systemdSocket: string | null;
  readonly restartMode: 'restart' | 'reload' | 'try_restart';
  readonly restart: UserCommand | null;
  readonly install: UserCommand | null;
  readonly database: Database | null;
  readonly healthCheck: HealthCheck | null;
  readonly rollout: Rollout;
  readonly hooks: Hooks;
  /** Of an etl, else null. */
  readonly script: Script | null;
  /** Of a scheduled fraise, else none. */
  readonly jobs: readonly Job[];
  /** Folder of the repository with unit files of the jobs; null: none. */
  readonly units: string | null;
  /** What becomes of a run that is in progress when its code is to be replaced. */
  readonly whileRunning: { readonly waitMs: number; readonly pastWait: 'fail' | 'continue' | 'stop' };
  readonly keepReleases: number;
  readonly timeoutMs: number;
  readonly protected: boolean;
}

export interface Fraise {
  readonly name: string;
  readonly type: Environment['type'];
  readonly description: string;
  readonly environments: Readonly<Record<string, Environment>>;
}

export interface Configuration {
  readonly name: string;
  readonly defaultProvider: Provider;
  readonly gitHosts: Readonly<Partial<Record<Provider, GitHost>>>;
  readonly hosts: Readonly<Record<string, { readonly labels: Readonly<Record<string, string>> }>>;
  readonly fraises: Readonly<Record<string, Fraise>>;
  /** Exact branch → targets, already united with nothing: `route` unites it with the environments' own branch. */
  readonly branchMapping: Readonly<
    Record<string, readonly { readonly fraise: string; readonly environment: string }[]>
  >;
}

/** Every environment of every fraise, in the order of the file. */
export function allEnvironments(configuration: Configuration): readonly Environment[] {
  return Object.values(configuration.fraises).flatMap((fraise) => Object.values(fraise.environments));
}
