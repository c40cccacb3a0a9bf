import type { Knex } from 'knex';

/**
 * One row per ended deployment with its measures in ms; null where one does not apply. `time_to_restore_ms` runs from
 * the first bad end after the last success of this fraise and environment to this success.
 */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create view v_deployment_stats as
    with numbered as (
      select one.*,
             count(*) filter (where one.status = 'succeeded') over (
               partition by one.fraise, one.environment order by one.finished_at, one.position
               rows between unbounded preceding and 1 preceding) as success
        from tb_deployment one
       where one.finished_at is not null
         and one.status in (
           'succeeded', 'unchanged', 'failed', 'rolled_back', 'rollback_failed', 'cancelled', 'superseded')
    ), failing as (
      select numbered.*,
             min(numbered.finished_at) filter (where numbered.status in ('failed', 'rolled_back', 'rollback_failed'))
               over (partition by numbered.fraise, numbered.environment, numbered.success) as failing_since
        from numbered
    )
    select failing.id, failing.fraise, failing.environment, failing.kind, failing.status, failing.finished_at,
           extract(epoch from failing.finished_at - failing.started_at)::double precision * 1000 as duration_ms,
           case when failing.status = 'succeeded' and failing.trigger = 'webhook'
                then extract(epoch from failing.finished_at - failing.pushed_at)::double precision * 1000
           end as lead_time_ms,
           case when failing.status = 'succeeded'
                then extract(epoch from failing.finished_at - failing.failing_since)::double precision * 1000
           end as time_to_restore_ms
      from failing
  `);
}

/** Removes the view. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop view v_deployment_stats`);
}
