import type { Knex } from 'knex';

/** What the record says of each fraise and environment: live, under way, waiting. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
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
        select * from tb_deployment one
         where one.fraise = pair.fraise and one.environment = pair.environment
           and (one.status = 'succeeded' or (one.kind = 'rollback' and one.status = 'rolled_back'))
         order by one.finished_at desc nulls last, one.position desc limit 1) live on true
      left join tb_deployment active
        on active.fraise = pair.fraise and active.environment = pair.environment
       and active.status in ('running', 'paused', 'rolling_back')
  `);
}

/** Removes the view. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop view v_fraise_status`);
}
