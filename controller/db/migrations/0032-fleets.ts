import type { Knex } from 'knex';

/**
 * What a deployment over many hosts keeps: who was left out, what was said of hosts that failed, which were unhealthy before. One
 * that failed on no more hosts than may made its version live on the others.
 */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    drop view v_fraise_status;
    drop index live_deployments;
    alter table tb_deployment add column skip_unreachable boolean not null default false,
                              add column answers jsonb not null default '[]';
    alter table tb_host_run add column unhealthy boolean not null default false;
    ${HISTORY};
    ${status(LIVE)};
    ${index(LIVE)};
  `);
}

/** Removes it, with what is in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    drop view v_fraise_status;
    drop index live_deployments;
    alter table tb_host_run drop column unhealthy;
    alter table tb_deployment drop column answers, drop column skip_unreachable;
    ${HISTORY};
    ${status(LIVE_BEFORE)};
    ${index(LIVE_BEFORE)};
  `);
}

const LIVE_BEFORE = `(status = 'succeeded' or (kind = 'rollback' and status = 'rolled_back'))`;
const LIVE = `(status = 'succeeded' or (kind = 'rollback' and status = 'rolled_back')
 or (status = 'failed' and reason ->> 'code' = 'hosts_failed'))`;

/** A view keeps the columns it was made with. */
const HISTORY = `
    create view v_deployment_history as
    select one.*, extract(epoch from one.finished_at - one.started_at) * 1000 as duration_ms
      from tb_deployment one`;

function index(live: string): string {
  return `create index live_deployments
              on tb_deployment (fraise, environment, finished_at desc nulls last, position desc) where ${live}`;
}

function status(live: string): string {
  return `
    create view v_fraise_status as
    select pair.fraise, pair.environment,
           live.id as live_deployment_id, live.commit as live_commit, live.new_version as live_version,
           live.finished_at as live_at,
           active.id as active_deployment_id, active.status as active_status,
           (select count(*) from tb_deployment waiting
             where waiting.fraise = pair.fraise and waiting.environment = pair.environment
               and waiting.status = 'queued') as queued
      from (select fraise, environment from tb_fraise_state
            union select fraise, environment from tb_deployment) pair
      left join lateral (
        select id, commit, new_version, finished_at from tb_deployment one
         where one.fraise = pair.fraise and one.environment = pair.environment and ${live}
         order by one.finished_at desc nulls last, one.position desc limit 1) live on true
      left join tb_deployment active
        on active.fraise = pair.fraise and active.environment = pair.environment
       and active.status in ('running', 'paused', 'rolling_back')`;
}
