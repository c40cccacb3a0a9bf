import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';

/** A kind of fraise is a list of typed steps for each phase; nothing here knows hosts, clocks or the ledger. */
export interface Recipe {
  /** `force`: do again what an earlier deployment of this commit did already. */
  readonly prepare: (
    environment: Environment,
    commit: string,
    ref: string,
    force: boolean,
  ) => readonly Step[];
  readonly release: (environment: Environment, commit: string) => readonly Step[];
  /** A template: `commit` is put in place of that of the release gone back to. */
  readonly undo: (environment: Environment, commit: string) => readonly Step[];
  readonly prune: (environment: Environment, commit: string) => readonly Step[];
}
