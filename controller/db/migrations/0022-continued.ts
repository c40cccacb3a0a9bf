import type { Knex } from 'knex';

/** When a deployment was last continued: its limit counts from then. Of those under way, second attempts tell it. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    alter table tb_deployment add column continued_at timestamptz;
    update tb_deployment one
       set continued_at = (select max(created_at) from tb_host_run where deployment_id = one.id and attempt > 1)
     where status in ('running', 'paused', 'rolling_back');
    ${HISTORY}
  `);
}

/** Removes it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    alter table tb_deployment drop column continued_at;
    ${HISTORY}
  `);
}

/** A view keeps the columns it was made with. */
const HISTORY = `
    create view v_deployment_history as
    select one.*, extract(epoch from one.finished_at - one.started_at) * 1000 as duration_ms
      from tb_deployment one`;
