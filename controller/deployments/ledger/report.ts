import type { RunEvent, LogPosition } from '../../../proto/gen/fraisier/v1/agent.js';
import type { RunPhase, RunStatus } from '../lifecycle.js';
import type { RunRow } from './run.js';
import type { AgentRow } from './agent.js';

/** What agents report. Part of `Ledger`. */
export interface ReportLedger {
  /** In one round trip, however many agents report; see `ReportedRuns`. */
  holdReported(reports: readonly Reports[]): Promise<ReportedRuns>;
  /**
   * Stores events of runs of one deployment, whose row the caller must hold: each takes the next number of it. And what has
   * become of those runs, which the caller must hold too. Throws when one of them is not as it was.
   */
  writeReported(reported: Reported): Promise<void>;
  /** Whether this very event is stored: its run, its number and all that it says. */
  knowsEvent(event: RunEvent): Promise<boolean>;
  /** Events numbered above `after`, in order. */
  eventsOf(deploymentId: string, after: number, limit: number): Promise<readonly StoredEvent[]>;
  /**
   * Appends each at its `offset`; no run, step and attempt twice. Bytes the ledger has are skipped, a gap is refused. Returns
   * the end offset that is stored of each, which is less than asked for when there is a gap.
   */
  appendLogs(chunks: readonly NewLogChunk[]): Promise<readonly number[]>;
  logPositions(runId: string): Promise<readonly LogPosition[]>;
}

/** What an agent's stream reports on. */
export interface Reports {
  readonly agent: string;
  readonly epoch: number;
  readonly runIds: readonly string[];
  /** Those of them that may change: their deployments are held, and they themselves, in this order. */
  readonly changing: readonly string[];
}

export interface ReportedRuns {
  /** Those that are runs of the agent that reports on them, in any order. */
  readonly runs: readonly RunRow[];
  /**
   * By name, each agent of which there are runs and of which a lease is held, as by `holdLease`: with its epoch, which is
   * the newest, and what is live on it.
   */
  readonly leased: ReadonlyMap<string, Pick<AgentRow, 'epoch' | 'live'>>;
  /** The ledger's now, once everything is held. */
  readonly now: Date;
}

export interface Reported {
  readonly deploymentId: string;
  /** Of each run, those that follow the last one stored. */
  readonly events: readonly RunEvent[];
  /**
   * As they are now, with the status they had before. Neither what they were made with nor what was asked of them
   * is written; when they started and finished is the ledger's now.
   */
  readonly runs: readonly ReportedRun[];
}

export interface ReportedRun extends RunRow {
  readonly from: RunStatus;
}

export interface StoredEvent {
  readonly number: number;
  readonly runId: string;
  readonly host: string;
  readonly phase: RunPhase;
  readonly event: RunEvent;
}

export interface NewLogChunk {
  readonly runId: string;
  readonly deploymentId: string;
  readonly step: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly truncated: boolean;
}
