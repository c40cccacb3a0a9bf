import { setTimeout as sleep } from 'node:timers/promises';
import type { LogPosition } from '../../proto/gen/fraisier/v1/agent.js';
import type { NewLogChunk } from '../deployments/ledger.js';
import type { LogQuery, StoredLog } from '../deployments/records.js';
import { bytes, select, toBuffer } from './row.js';
import type { Db } from './row.js';

/** Advisory locks of this class, one per deployment, are held by transactions that append to its logs. */
const WRITING = 7246;

interface Appended {
  /** Where the output ended before, as far as this statement could see. */
  readonly stored: number;
  /** Where it ends now; null when nothing was added. */
  readonly added: number | null;
  readonly wanted: boolean;
}

/**
 * One round trip unless somebody stored the same bytes meanwhile. Shares a lock with the other writers of the deployment
 * until the transaction ends: nobody waits for it, but `logs` sees by it whose numbers are still to come.
 */
export async function appendLog(db: Db, chunk: NewLogChunk): Promise<number> {
  const end = chunk.offset + chunk.data.length;
  const [found] = await select<Appended>(db, APPEND, { ...chunk, data: toBuffer(chunk.data), end });
  const { stored, added, wanted } = found as Appended;
  return wanted && added === null ? await endOf(db, chunk) : (added ?? stored);
}

const APPEND = `
  with locked as materialized (
         select pg_advisory_xact_lock_shared(${WRITING}, hashtext(:deploymentId))),
       last as (
         select end_offset, truncated from tb_run_log
          where run_id = :runId and step = :step and attempt = :attempt
          order by start_offset desc limit 1),
       ended as (
         select coalesce((select end_offset from last), 0) as stored,
                coalesce((select truncated from last), false) as closed
           from locked),
       fresh as (
         select stored, substring(cast(:data as bytea) from cast(stored - cast(:offset as bigint) + 1 as integer)) as data
           from ended
          where not closed and stored >= :offset
            and (stored < :end or (stored = :end and :truncated))),
       added as (
         insert into tb_run_log (deployment_id, run_id, step, attempt, start_offset, end_offset, data, truncated)
         select :deploymentId, :runId, :step, :attempt, stored, stored + length(data), data, :truncated from fresh
         on conflict on constraint one_chunk_per_offset do nothing
         returning end_offset)
  select (select stored from ended) as stored, (select end_offset from added) as added,
         exists (select from fresh) as wanted`;

async function endOf(db: Db, { runId, step, attempt }: NewLogChunk): Promise<number> {
  const [row] = await select<{ end: number }>(
    db,
    'select coalesce(max(end_offset), 0) as end from tb_run_log where run_id = ? and step = ? and attempt = ?',
    [runId, step, attempt],
  );
  return (row as { end: number }).end;
}

/** The end of what is stored of each step and attempt. */
export async function logPositions(db: Db, runId: string): Promise<readonly LogPosition[]> {
  return await select<LogPosition>(
    db,
    `select distinct on (step, attempt) step, attempt, end_offset as offset from tb_run_log
      where run_id = ? order by step, attempt, start_offset desc`,
    [runId],
  );
}

interface Row {
  readonly number: number;
  readonly run_id: string;
  readonly host: string;
  readonly phase: string;
  readonly step: string;
  readonly attempt: number;
  readonly start_offset: number;
  readonly data: Uint8Array;
  readonly truncated: boolean;
  readonly stored_at: Date;
}

/**
 * In the order of numbers, which within an attempt is that of offsets, and on one host that of steps and runs. Whoever
 * goes on after the last number it got misses nothing: numbers that a transaction under way may still fill are waited
 * for. Empty after 2 s of waiting; then ask again.
 */
export async function logs(db: Db, query: LogQuery): Promise<readonly StoredLog[]> {
  const settled = await settledNumber(db, query.deploymentId);
  const rows = await select<Row>(
    db,
    `select chunk.number, chunk.run_id, run.host, run.phase, chunk.step, chunk.attempt, chunk.start_offset,
            chunk.data, chunk.truncated, chunk.stored_at
       from tb_run_log chunk join tb_host_run run on run.id = chunk.run_id
      where chunk.deployment_id = ? and chunk.number > ? and chunk.number <= ?
        and (?::text is null or run.host = ?) and (?::text is null or chunk.step = ?)
      order by chunk.number limit ?`,
    [query.deploymentId, query.after, settled, query.host, query.host, query.step, query.step, query.limit],
  );
  return rows.map((row) => ({
    number: row.number,
    runId: row.run_id,
    host: row.host,
    phase: row.phase,
    step: row.step,
    attempt: row.attempt,
    offset: row.start_offset,
    data: bytes(row.data),
    truncated: row.truncated,
    storedAt: row.stored_at,
  }));
}

/** Up to this number nothing more will appear in the deployment's logs; 0 when that is not known in time. */
async function settledNumber(db: Db, deploymentId: string): Promise<number> {
  const [look] = await select<{ highest: number; writers: readonly string[] }>(
    db,
    // The number is read first: who takes the lock after it takes a higher one.
    `with numbered as materialized (select last_value as highest from tb_run_log_number_seq)
     select highest, array(${WRITERS} and highest is not null) as writers from numbered`,
    [deploymentId],
  );
  const { highest, writers } = look as { highest: number; writers: readonly string[] };
  const until = performance.now() + 2000;
  for (let left = writers; left.length > 0;) {
    if (performance.now() > until) return 0;
    await sleep(5);
    const rows = await select<{ writer: string }>(db, WRITERS, [deploymentId]);
    const writing = new Set(rows.map((row) => row.writer));
    left = left.filter((writer) => writing.has(writer));
  }
  return highest;
}

/** The transactions that append to this deployment's logs (or, rarely, to those of one with the same hash). */
const WRITERS = `select virtualtransaction as writer from pg_locks
  where locktype = 'advisory' and objsubid = 2 and classid = ${WRITING}
    and objid = (hashtext(?)::bigint & 4294967295)::oid
    and database = (select oid from pg_database where datname = current_database())`;
