import type { Knex } from 'knex';

/** Deployments with how long they took. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create view v_deployment_history as
    select one.*, extract(epoch from one.finished_at - one.started_at) * 1000 as duration_ms
      from tb_deployment one
  `);
}

/** Removes the view. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop view v_deployment_history`);
}
