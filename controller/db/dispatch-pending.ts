import type { DispatchedRuns } from '../deployments/ledger/run.js';
import { runFromRecord, type RunRecord } from './host-run.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** At least one of each leased agent, whose run is nothing but nulls when there is none. */
type Record = (RunRecord | { readonly id: null }) & { readonly agent: string; readonly newest: number };

/**
 * One round trip, because every agent that is woken takes it. Runs are held before leases; one that somebody else holds is
 * being changed, and left for the next look: no agent waits for what another one's deployment does.
 */
const DISPATCH = `
  with pending as (
    select id, host from tb_host_run
     where host = any(:agents) and status = 'pending'
     order by position for no key update skip locked),
  leases as materialized (
    select name, epoch from tb_agent
     where name = any(:agents) and revoked_at is null and (select count(*) from pending) >= 0
       and (name, epoch) in (select * from jsonb_to_recordset(cast(:streams as jsonb)) as stream (agent text, epoch bigint))
     order by name for share),
  dispatched as (
    update tb_host_run run set status = 'dispatched', dispatched_at = clock_timestamp()
      from pending join leases on leases.name = pending.host
     where run.id = pending.id
    returning run.*),
  open as (
    select * from dispatched
    union all
    select * from tb_host_run where host = any(:agents) and status in ('dispatched', 'running'))
  select leases.name as agent, leases.epoch as newest, open.*
    from leases left join open on open.host = leases.name
   order by open.position`;

/** An agent that is asked for with two epochs has the newest, and nothing is dispatched to the other. */
export async function dispatchPending(
  db: Db,
  streams: readonly { readonly agent: string; readonly epoch: number }[],
): Promise<DispatchedRuns> {
  const records = await select<Record>(db, DISPATCH, {
    agents: streams.map(({ agent }) => agent),
    streams: JSON.stringify(streams.map(({ agent, epoch }) => ({ agent, epoch }))),
  });
  return {
    runs: records.flatMap((one) => (one.id === null ? [] : [runFromRecord(one)])),
    leased: new Map(records.map(({ agent, newest }) => [agent, newest])),
  };
}
