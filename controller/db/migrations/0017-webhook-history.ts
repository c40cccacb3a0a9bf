import type { Knex } from 'knex';

/** Deliveries with the deployments they started. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create view v_webhook_history as
    select delivery.*,
           array(select started.id from tb_deployment started
                  where started.webhook_id = delivery.id order by started.position) as deployments
      from tb_webhook_event delivery
  `);
}

/** Removes the view. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop view v_webhook_history`);
}
