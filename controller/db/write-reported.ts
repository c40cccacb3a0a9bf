import { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reported, ReportedRun } from '../deployments/ledger/report.js';
import { runHasEnded } from '../deployments/lifecycle.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** One round trip, however many there are: the caller holds all of it, so nobody else writes to it meanwhile. */
export async function writeReported(db: Db, { deploymentId, events, runs }: Reported): Promise<void> {
  const contents = events.map((event) => RunEvent.encode(event).finish());
  const [row] = await select<{ moved: number }>(db, WRITE, {
    deploymentId,
    count: events.length,
    events: JSON.stringify(placed(events, contents)),
    contents: Buffer.concat(contents),
    runs: JSON.stringify(runs.map(written)),
  });
  if (row?.moved !== runs.length) throw new Error(`a run of ${deploymentId} moved while it was held`);
}

/** With where in all the contents its own is: as one parameter they travel as they are. */
function placed(events: readonly RunEvent[], contents: readonly Uint8Array[]): readonly object[] {
  let start = 1;
  return events.map(({ runId, seq }, at) => {
    const { length } = contents[at] as Uint8Array;
    const own = { run_id: runId, seq, place: at + 1, start, length };
    start += length;
    return own;
  });
}

function written(run: ReportedRun): object {
  return {
    id: run.id,
    was: run.from,
    status: run.status,
    last_seq: run.lastSeq,
    reason: run.reason,
    current_step: run.currentStep,
    previous_release: run.previousRelease,
    previous_proven_good: run.previousProvenGood,
    migration: run.migration,
    live_release: run.liveRelease,
    settled: run.settled,
    unhealthy: run.unhealthy,
    starts: run.from === 'dispatched',
    finishes: run.from !== run.status && runHasEnded(run.status),
  };
}

const WRITE = `
  with numbered as (
         update tb_deployment set last_number = last_number + :count where id = :deploymentId
         returning last_number - :count as before),
       added as (
         insert into tb_run_event (deployment_id, number, run_id, seq, content)
         select :deploymentId, before + place, run_id, seq, substring(cast(:contents as bytea) from start for length)
           from numbered, jsonb_to_recordset(cast(:events as jsonb)) as given
                (run_id text, seq bigint, place integer, start integer, length integer)),
       moved as (
         update tb_host_run run
            set status = given.status, last_seq = given.last_seq, reason = given.reason,
                current_step = given.current_step, previous_release = given.previous_release,
                previous_proven_good = given.previous_proven_good, migration = given.migration,
                live_release = given.live_release, settled = given.settled, unhealthy = given.unhealthy,
                started_at = case when starts then clock_timestamp() else run.started_at end,
                finished_at = case when finishes then clock_timestamp() else run.finished_at end
           from jsonb_to_recordset(cast(:runs as jsonb)) as given
                (id text, was text, status text, last_seq bigint, reason jsonb, current_step jsonb,
                 previous_release text, previous_proven_good boolean, migration jsonb, live_release text,
                 settled boolean, unhealthy boolean, starts boolean, finishes boolean)
          where run.id = given.id and run.status = was
         returning run.id)
  select count(*) as moved from moved`;
