/** Revisions of the configuration. Part of `Ledger`. */
export interface ConfigurationLedger {
  /** The newest revision; null when there is none, or none newer than `above`. */
  currentConfiguration(above?: number): Promise<ConfigurationRevision | null>;
  configurationRevision(revision: number): Promise<ConfigurationRevision | null>;
  /** Numbers revisions from 1 without gaps (serialised by a lock). */
  insertConfiguration(
    revision: Omit<ConfigurationRevision, 'revision' | 'appliedAt'>,
  ): Promise<ConfigurationRevision>;
}

export interface ConfigurationRevision {
  readonly revision: number;
  readonly text: string;
  readonly fileName: string;
  readonly appliedBy: string;
  readonly appliedAt: Date;
}
