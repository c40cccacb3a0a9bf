import type { Knex } from 'knex';

/** Who had a delivery replayed, which fraises it is about, how large its body is; and what deleting by age looks for. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_webhook_history;
    alter table tb_webhook_event
      add column replayed_by text,
      add column fraises text[] not null default '{}',
      add column body_bytes integer generated always as (octet_length(body)) stored;
    update tb_webhook_event delivery set fraises = started.fraises
      from (select webhook_id, array_agg(distinct fraise) as fraises from tb_deployment
             where webhook_id is not null group by webhook_id) started
     where started.webhook_id = delivery.id;
    create index repeats_of_delivery on tb_webhook_event (original_id, position) where original_id is not null;
    create index rows_of_delivery on tb_webhook_event (provider, delivery_id);
    create index deliveries_of_fraise on tb_webhook_event using gin (fraises);
    create index deliveries_by_age on tb_webhook_event (received_at);
    create index stored_bodies on tb_webhook_event (position) include (body_bytes) where body_bytes is not null;
    create index output_by_age on tb_run_log using brin (stored_at);
    create index questions_by_deadline on tb_question (expires_at);
    ${HISTORY}
  `);
}

/** Removes all of it, with what is in the columns. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop view v_webhook_history;
    drop index questions_by_deadline, output_by_age, stored_bodies, deliveries_by_age, deliveries_of_fraise,
      rows_of_delivery, repeats_of_delivery;
    alter table tb_webhook_event drop column body_bytes, drop column fraises, drop column replayed_by;
    ${HISTORY}
  `);
}

/** A view keeps the columns it was made with. */
const HISTORY = `
    create view v_webhook_history as
    select delivery.*,
           array(select started.id from tb_deployment started
                  where started.webhook_id = delivery.id order by started.position) as deployments
      from tb_webhook_event delivery`;
