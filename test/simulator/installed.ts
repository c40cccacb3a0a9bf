/** One fraise in one environment as it stands on one host. */
export interface Installed {
  live: string;
  /** The release that the running process was started from; empty: it does not run. */
  serving: string;
  readonly proven: Set<string>;
  readonly releases: Set<string>;
}
