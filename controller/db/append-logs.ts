import type { NewLogChunk } from '../deployments/ledger/report.js';
import { select, toBuffer } from './row.js';
import type { Db } from './row.js';

/** Advisory locks of this class, one per deployment, are held by transactions that append to its logs. */
export const WRITING = 7246;

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
export async function appendLogs(db: Db, chunks: readonly NewLogChunk[]): Promise<readonly number[]> {
  const data = Buffer.concat(chunks.map((chunk) => toBuffer(chunk.data)));
  const appended = await select<Appended>(db, APPEND, { chunks: JSON.stringify(placed(chunks)), data });
  return await Promise.all(
    appended.map(async ({ stored, added, wanted }, at) =>
      wanted && added === null ? await endOf(db, chunks[at] as NewLogChunk) : (added ?? stored),
    ),
  );
}

/** With where in all the bytes its own are: as one parameter they travel as they are. */
function placed(chunks: readonly NewLogChunk[]): readonly object[] {
  let start = 1;
  return chunks.map(({ data, ...chunk }, place) => {
    const own = { ...chunk, place, start, length: data.length };
    start += data.length;
    return own;
  });
}

const APPEND = `
  with given as materialized (
         select * from jsonb_to_recordset(cast(:chunks as jsonb)) as given
           ("runId" text, "deploymentId" text, step text, attempt integer, "offset" bigint, truncated boolean,
            place integer, start integer, length integer)),
       locked as materialized (
         select pg_advisory_xact_lock_shared(${WRITING}, hashtext(id))
           from (select distinct "deploymentId" as id from given order by 1) as deployments),
       ended as materialized (
         select given.*, "offset" + length as ends, coalesce(last.end_offset, 0) as stored,
                coalesce(last.truncated, false) as closed
           from given left join lateral (
                select end_offset, truncated from tb_run_log
                 where run_id = "runId" and step = given.step and attempt = given.attempt
                 order by start_offset desc limit 1) as last on true
          where (select count(*) from locked) > 0),
       fresh as (
         select *, cast(stored - "offset" as integer) as skipped from ended
          where not closed and stored >= "offset" and (stored < ends or (stored = ends and truncated))),
       added as (
         insert into tb_run_log (deployment_id, run_id, step, attempt, start_offset, end_offset, data, truncated)
         select "deploymentId", "runId", step, attempt, stored, ends,
                substring(cast(:data as bytea) from start + skipped for length - skipped), truncated
           from fresh order by place
         on conflict on constraint one_chunk_per_offset do nothing
         returning run_id, step, attempt, end_offset)
  select ended.stored, added.end_offset as added, fresh.place is not null as wanted
    from ended
    left join fresh on fresh.place = ended.place
    left join added on added.run_id = ended."runId" and added.step = ended.step and added.attempt = ended.attempt
   order by ended.place`;

async function endOf(db: Db, { runId, step, attempt }: NewLogChunk): Promise<number> {
  const [row] = await select<{ end: number }>(
    db,
    'select coalesce(max(end_offset), 0) as end from tb_run_log where run_id = ? and step = ? and attempt = ?',
    [runId, step, attempt],
  );
  return (row as { end: number }).end;
}
