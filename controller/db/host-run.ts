import { PhaseSteps } from '../../proto/gen/fraisier/v1/plan.js';
import type { MigrationState, Reason, Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { NewRun, RunChange, RunRow } from '../deployments/ledger/run.js';
import { mayMoveRun } from '../deployments/lifecycle.js';
import type { RunStatus } from '../deployments/lifecycle.js';
import { illegalMove, orRefused } from './refusals.js';
import { clock, columnsOf, toBuffer, toJson } from './row.js';
import type { Db } from './row.js';

/** A row of `tb_host_run` as the driver gives it. */
export interface RunRecord {
  readonly id: string;
  readonly deployment_id: string;
  readonly host: string;
  readonly phase: RunRow['phase'];
  readonly attempt: number;
  readonly status: RunStatus;
  readonly steps: Uint8Array;
  readonly commit: string;
  readonly reason: Reason | null;
  readonly last_seq: number;
  readonly cancel_reason: Reason | null;
  readonly cancel_asked_at: Date | null;
  readonly current_step: {
    readonly name: string;
    readonly startedAt: string;
    readonly timeoutMs: number;
  } | null;
  readonly previous_release: string | null;
  readonly previous_proven_good: boolean | null;
  readonly migration: MigrationState | null;
  readonly live_release: string | null;
  readonly settled: boolean;
  readonly unhealthy: boolean;
  readonly created_at: Date;
  readonly dispatched_at: Date | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

/** Refused when this phase and attempt exist on the host; throws for an unknown deployment. */
export async function insertRun(db: Db, run: NewRun): Promise<RunRow> {
  const [row] = await orRefused(
    db('tb_host_run')
      .insert({
        id: run.id,
        deployment_id: run.deploymentId,
        host: run.host,
        phase: run.phase,
        attempt: run.attempt,
        steps: encodeSteps(run.steps),
        commit: run.commit,
      })
      .returning<RunRecord[]>('*'),
  );
  return runFromRecord(row as RunRecord);
}

/** Null when there is none of this id. */
export async function run(db: Db, id: string): Promise<RunRow | null> {
  return firstOf(await db('tb_host_run').where({ id }).select<RunRecord[]>());
}

/** Oldest first. */
export async function runsOf(db: Db, deploymentId: string): Promise<readonly RunRow[]> {
  const rows = await db('tb_host_run')
    .where({ deployment_id: deploymentId })
    .orderBy('position')
    .select<RunRecord[]>();
  return rows.map(runFromRecord);
}

/** Oldest first; those of every deployment. */
export async function openRunsOnHost(db: Db, host: string): Promise<readonly RunRow[]> {
  const rows = await db('tb_host_run')
    .where({ host })
    .whereRaw(`status in ('pending', 'dispatched', 'running')`)
    .orderBy('position')
    .select<RunRecord[]>();
  return rows.map(runFromRecord);
}

/** False when it is not in `from` (any more). Throws for a move the table of moves does not have. */
export async function moveRun(
  db: Db,
  id: string,
  from: RunStatus,
  to: RunStatus,
  change: RunChange = {},
): Promise<boolean> {
  if (from !== to && !mayMoveRun(from, to)) throw illegalMove('run', id, from, to);
  const moved = await db('tb_host_run')
    .where({ id, status: from })
    .update({ ...changedColumns(db, change), status: to });
  return moved === 1;
}

function changedColumns(db: Db, change: RunChange): Record<string, unknown> {
  return columnsOf(change, {
    reason: (reason) => ({ reason: toJson(reason) }),
    lastSeq: (seq) => ({ last_seq: seq }),
    cancelReason: (reason) => ({ cancel_reason: toJson(reason), cancel_asked_at: clock(db) }),
    currentStep: (step) => ({ current_step: toJson(step) }),
    previousRelease: (release) => ({ previous_release: release }),
    previousProvenGood: (is) => ({ previous_proven_good: is }),
    migration: (state) => ({ migration: toJson(state) }),
    liveRelease: (release) => ({ live_release: release }),
    settled: (is) => ({ settled: is }),
    unhealthy: (is) => ({ unhealthy: is }),
    dispatched: (is) => (is ? { dispatched_at: clock(db) } : {}),
    started: (is) => (is ? { started_at: clock(db) } : {}),
    finished: (is) => (is ? { finished_at: clock(db) } : {}),
  });
}

function firstOf([row]: readonly RunRecord[]): RunRow | null {
  return row === undefined ? null : runFromRecord(row);
}

/** Decodes the plan part; times stay those of the database. */
export function runFromRecord(row: RunRecord): RunRow {
  const step = row.current_step;
  return {
    id: row.id,
    deploymentId: row.deployment_id,
    host: row.host,
    phase: row.phase,
    attempt: row.attempt,
    steps: PhaseSteps.decode(row.steps).steps,
    commit: row.commit,
    status: row.status,
    reason: row.reason,
    lastSeq: row.last_seq,
    cancelReason: row.cancel_reason,
    cancelAskedAt: row.cancel_asked_at,
    currentStep: step === null ? null : { ...step, startedAt: new Date(step.startedAt) },
    previousRelease: row.previous_release,
    previousProvenGood: row.previous_proven_good,
    migration: row.migration,
    liveRelease: row.live_release,
    settled: row.settled,
    unhealthy: row.unhealthy,
    createdAt: row.created_at,
    dispatchedAt: row.dispatched_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

/** A list needs a message around it; the run's own phase is a column. */
function encodeSteps(steps: readonly Step[]): Buffer {
  return toBuffer(PhaseSteps.encode(PhaseSteps.fromPartial({ steps })).finish());
}
