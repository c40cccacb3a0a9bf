import type { ReportedRuns, Reports } from '../deployments/ledger.js';
import { runFromRecord, type RunRecord } from './host-run.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** At least one, whose run is nothing but nulls when there is none. */
type Record = (RunRecord | { readonly id: null }) & { readonly leased: boolean; readonly now: Date };

/** One round trip, because every event of every agent takes it. Each part waits for the one before to hold its rows. */
const HOLD = `
  with deployments as (
    select id from tb_deployment
     where id in (select deployment_id from tb_host_run where id = any(:changing) and host = :agent)
     order by id for no key update),
  changing as (
    select * from tb_host_run
     where id = any(:changing) and host = :agent and (select count(*) from deployments) > 0
     order by position for no key update),
  runs as (
    select * from changing
    union all
    select * from tb_host_run where id = any(:unchanging) and host = :agent),
  lease as (
    select from tb_agent
     where name = :agent and epoch = :epoch and revoked_at is null and (select count(*) from runs) >= 0
     for share)
  select runs.*, (select count(*) from lease) = 1 as leased, clock_timestamp() as now
    from (values (1)) as always left join runs on true`;

/** Deployments are held first, then runs, then the lease; each as it is once it is held. */
export async function holdReported(
  db: Db,
  { agent, epoch, runIds, changing }: Reports,
): Promise<ReportedRuns> {
  const unchanging = runIds.filter((id) => !changing.includes(id));
  const records = await select<Record>(db, HOLD, { agent, epoch, changing: [...changing], unchanging });
  const [{ leased, now }] = records as [Record];
  return { runs: records.flatMap((one) => (one.id === null ? [] : [runFromRecord(one)])), leased, now };
}
