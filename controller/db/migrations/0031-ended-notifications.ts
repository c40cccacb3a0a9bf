import type { Knex } from 'knex';

/** Notifications that have ended are removed by their age. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`create index ended_notifications on tb_outbox (ended_at) where ended_at is not null`);
}

/** Removes the index. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop index ended_notifications`);
}
