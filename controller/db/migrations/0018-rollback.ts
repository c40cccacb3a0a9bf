import type { Knex } from 'knex';

/** Whether a host had nothing to do, and what a rollback on demand goes back by. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    alter table tb_host_run add column settled boolean not null default false;
    alter table tb_deployment add column rollback bytea;
    create index ended_deployments_of_fraise on tb_deployment (fraise, environment, finished_at, position)
      where started_at is not null and finished_at is not null;
    ${HISTORY}
  `);
}

/** Removes both, with what is in them. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_deployment_history;
    drop index ended_deployments_of_fraise;
    alter table tb_deployment drop column rollback;
    alter table tb_host_run drop column settled;
    ${HISTORY}
  `);
}

/** A view keeps the columns it was made with. */
const HISTORY = `
    create view v_deployment_history as
    select one.*, extract(epoch from one.finished_at - one.started_at) * 1000 as duration_ms
      from tb_deployment one`;
