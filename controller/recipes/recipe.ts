import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Database, Environment } from '../fraises/fraises.js';

/** A kind of fraise is a list of typed steps for each phase; nothing here knows hosts, clocks or the ledger. */
export interface Recipe {
  readonly prepare: (environment: Environment, commit: string, ref: string) => readonly Step[];
  /** Reads the migration tool's own status; empty when it has none. */
  readonly measure: (database: Database, commit: string) => readonly Step[];
  readonly migrate: (database: Database, commit: string) => readonly Step[];
  /** Empty: there is no way down. */
  readonly migrateDown: (database: Database, commit: string) => readonly Step[];
  readonly release: (environment: Environment, commit: string) => readonly Step[];
  /** A template: `commit` is put in place of that of the release gone back to. */
  readonly undo: (environment: Environment, commit: string) => readonly Step[];
  readonly prune: (environment: Environment, commit: string) => readonly Step[];
}
