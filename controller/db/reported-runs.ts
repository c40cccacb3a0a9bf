import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { ReportedRuns, Reports } from '../deployments/ledger/report.js';
import { runFromRecord, type RunRecord } from './host-run.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** At least one, whose run is nothing but nulls when there is none. */
type Record = (RunRecord | { readonly id: null }) & {
  /** Null unless the agent's lease is held. */
  readonly leased: { readonly epoch: number; readonly live: readonly LiveFraise[] } | null;
  readonly now: Date;
};

/**
 * One round trip, because all that agents report takes it. Each part waits for the one before to hold its rows. Output holds its
 * deployment as its foreign key would: whoever waited for that with the lease in hand would keep the lease from being renewed.
 */
const HOLD = `
  with told as materialized (
    select * from jsonb_to_recordset(cast(:told as jsonb)) as told (run_id text, host text, changing boolean)),
  deployments as (
    select id from tb_deployment
     where id in (select deployment_id from tb_host_run where id = any(:runIds) and (id, host, true) in (table told))
     order by id for no key update),
  others as (
    select id from tb_deployment
     where id in (select deployment_id from tb_host_run where id = any(:runIds) and (id, host, false) in (table told))
       and (select count(*) from deployments) >= 0
     order by id for key share),
  changing as (
    select * from tb_host_run
     where id = any(:runIds) and (id, host, true) in (table told) and (select count(*) from deployments) > 0
     order by position for no key update),
  runs as (
    select * from changing
    union all
    select * from tb_host_run
     where id = any(:runIds) and (id, host, false) in (table told) and (select count(*) from others) > 0),
  leases as (
    select name, jsonb_build_object('epoch', epoch, 'live', live) as leased from tb_agent
     where name = any(:agents) and revoked_at is null and (select count(*) from runs) >= 0
       and (name, epoch) in (select * from jsonb_to_recordset(cast(:leases as jsonb)) as lease (agent text, epoch bigint))
     order by name for share)
  select runs.*, leases.leased, clock_timestamp() as now
    from (values (1)) as always left join runs on true left join leases on leases.name = runs.host`;

/** Deployments are held first, then runs, then leases; each as it is once it is held. */
export async function holdReported(db: Db, reports: readonly Reports[]): Promise<ReportedRuns> {
  const told = reports.flatMap(({ agent, runIds, changing }) =>
    runIds.map((id) => ({ run_id: id, host: agent, changing: changing.includes(id) })),
  );
  const records = await select<Record>(db, HOLD, {
    told: JSON.stringify(told),
    runIds: told.map((one) => one.run_id),
    agents: reports.map(({ agent }) => agent),
    leases: JSON.stringify(reports.map(({ agent, epoch }) => ({ agent, epoch }))),
  });
  const [{ now }] = records as [Record];
  const runs = records.flatMap((one) => (one.id === null ? [] : [runFromRecord(one)]));
  const leased = records.flatMap((one): [string, NonNullable<Record['leased']>][] =>
    one.id === null || one.leased === null ? [] : [[one.host, one.leased]],
  );
  return { runs, leased: new Map(leased), now };
}
