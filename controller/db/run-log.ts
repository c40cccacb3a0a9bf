import { setTimeout as sleep } from 'node:timers/promises';
import type { LogPosition } from '../../proto/gen/fraisier/v1/agent.js';
import type { LogQuery, StoredLog } from '../deployments/records.js';
import { WRITING } from './append-logs.js';
import { bytes, select } from './row.js';
import type { Db } from './row.js';

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
 * for. Empty after 2 s of waiting; then ask again. At least one when there is any, however large.
 */
export async function logs(db: Db, query: LogQuery): Promise<readonly StoredLog[]> {
  const settled = await settledNumber(db, query.deploymentId);
  const rows = await select<Row>(
    db,
    `select * from (
       select chunk.number, chunk.run_id, run.host, run.phase, chunk.step, chunk.attempt, chunk.start_offset,
              chunk.data, chunk.truncated, chunk.stored_at,
              sum(length(chunk.data)) over (order by chunk.number) - length(chunk.data) as bytes_before
         from tb_run_log chunk join tb_host_run run on run.id = chunk.run_id
        where chunk.deployment_id = :deploymentId and chunk.number > :after and chunk.number <= :settled
          and (cast(:host as text) is null or run.host = :host) and (cast(:step as text) is null or chunk.step = :step)
        order by chunk.number limit :limit) page
      where bytes_before < :mostBytes order by number`,
    { ...query, settled },
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
