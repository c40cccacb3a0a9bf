import type { MigrationState, Reason, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { RunPhase, RunStatus } from '../lifecycle.js';

/** Runs: one phase of a deployment on one host. Part of `Ledger`. */
export interface RunLedger {
  /** Unique by (deployment, host, phase, attempt); throws on a second one. Status `pending`. */
  insertRun(run: NewRun): Promise<RunRow>;
  run(id: string): Promise<RunRow | null>;
  /** The pending runs of these agents become `dispatched`; one round trip, however many agents. */
  dispatchPending(
    streams: readonly { readonly agent: string; readonly epoch: number }[],
  ): Promise<DispatchedRuns>;
  /** Oldest first. */
  runsOf(deploymentId: string): Promise<readonly RunRow[]>;
  /** Runs of a host that have not ended: pending, dispatched, running. Oldest first. */
  openRunsOnHost(host: string): Promise<readonly RunRow[]>;
  /**
   * Whether a stream of this epoch has anything to tell its agent: an open run, an open question, or that it is not the
   * agent's stream any more. One statement, because every idle agent asks it again and again.
   */
  hasWork(host: string, epoch: number): Promise<boolean>;
  /** As moveDeployment, for a run. `from === to` changes the other fields only. */
  moveRun(id: string, from: RunStatus, to: RunStatus, change?: RunChange): Promise<boolean>;
}

export interface NewRun {
  readonly id: string;
  readonly deploymentId: string;
  readonly host: string;
  readonly phase: RunPhase;
  readonly attempt: number;
  readonly steps: readonly Step[];
  /** The release this run is about; for `undo` the one gone back to, empty when there is none. */
  readonly commit: string;
}

export interface RunRow extends NewRun {
  readonly status: RunStatus;
  readonly reason: Reason | null;
  readonly lastSeq: number;
  /** Set: the agent has been, or will be, told to stop it. */
  readonly cancelReason: Reason | null;
  /** Since when it has been told so, on the connection it has now. */
  readonly cancelAskedAt: Date | null;
  /** The step in hand as the events say: what `lost` waits for. */
  readonly currentStep: {
    readonly name: string;
    readonly startedAt: Date;
    readonly timeoutMs: number;
  } | null;
  /** prepare, measured by preflight: the release live before, '' when none, null when not measured. */
  readonly previousRelease: string | null;
  readonly previousProvenGood: boolean | null;
  /** prepare and migrate: the tool's own status, the last one measured. */
  readonly migration: MigrationState | null;
  /** What the run said is live at its end; '' when nothing is. */
  readonly liveRelease: string | null;
  /** prepare: the wanted release is live here, proven good, healthy, and its process is newer than its code. */
  readonly settled: boolean;
  /** prepare: what was live before did not answer as a healthy release does. */
  readonly unhealthy: boolean;
  readonly createdAt: Date;
  readonly dispatchedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface RunChange {
  readonly reason?: Reason | null;
  readonly lastSeq?: number;
  /** Sets `cancelAskedAt` to the ledger's now. */
  readonly cancelReason?: Reason;
  readonly currentStep?: RunRow['currentStep'];
  readonly previousRelease?: string | null;
  readonly previousProvenGood?: boolean | null;
  readonly migration?: MigrationState | null;
  readonly liveRelease?: string | null;
  readonly settled?: boolean;
  readonly unhealthy?: boolean;
  /** True: set to the ledger's now. */
  readonly dispatched?: boolean;
  readonly started?: boolean;
  readonly finished?: boolean;
}

export interface DispatchedRuns {
  /** Those of the leased agents that are dispatched or running now, oldest first. */
  readonly runs: readonly RunRow[];
  /** Agents and their epochs, of those asked for that are the newest. */
  readonly leased: ReadonlyMap<string, number>;
}
