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
}

/** argv, or the string the user wrote for a shell. */
export type CommandLine = { readonly argv: readonly string[] } | { readonly shell: string };

export interface UserCommand {
  readonly command: CommandLine;
  readonly user: string | null;
  readonly timeoutMs: number;
}

/** Named hosts, or every enrolled host with these labels, or (`any`) the only enrolled agent. */
export type HostSelection =
  | { readonly by: 'name'; readonly names: readonly string[] }
  | { readonly by: 'label'; readonly labels: Readonly<Record<string, string>> }
  | { readonly by: 'any' };

export interface Database {
  readonly strategy: 'apply' | 'rebuild' | 'none';
  readonly tool: string;
  /** The host that migrates; null: the first of the plan. */
  readonly on: string | null;
  readonly up: readonly string[];
  /** Null: no way down, a point of no return. */
  readonly down: readonly string[] | null;
  /** Null: what is applied cannot be known, so it cannot be undone. */
  readonly status: readonly string[] | null;
  readonly user: string | null;
  readonly timeoutMs: number;
}

export interface HealthCheck {
  readonly url: string;
  readonly attempts: number;
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly expectStatus: number;
  readonly versionField: string | null;
  readonly stableForMs: number;
}

export interface Rollout {
  readonly strategy: 'rolling' | 'all_at_once';
  readonly batch: number;
  readonly canary: number;
  readonly bakeMs: number;
  readonly maxFailures: number;
  readonly onFailure: 'rollback' | 'pause' | 'stop';
}

export interface Environment {
  readonly fraise: string;
  readonly name: string;
  readonly type: 'api' | 'etl' | 'scheduled';
  readonly description: string;
  /** Null: deployed in place from the checkout at appPath and its `origin`. */
  readonly repository: string | null;
  readonly provider: Provider;
  /** The branch whose pushes are deployed here; null when only branch_mapping or tags say. */
  readonly branch: string | null;
  readonly tags: string | null;
  readonly paths: readonly string[];
  readonly hosts: HostSelection;
  readonly appPath: string;
  readonly layout: 'releases' | 'in_place';
  readonly shared: readonly string[];
  readonly user: string | null;
  readonly environmentFile: string | null;
  readonly systemdService: string | null;
  readonly restart: UserCommand | null;
  readonly install: UserCommand | null;
  readonly database: Database | null;
  readonly healthCheck: HealthCheck | null;
  readonly rollout: Rollout;
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
