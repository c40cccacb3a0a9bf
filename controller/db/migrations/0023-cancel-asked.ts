import type { Knex } from 'knex';

/** Since when a host has been told to stop a run: how long it may take to answer counts from then. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter table tb_host_run add column cancel_asked_at timestamptz;
    update tb_host_run set cancel_asked_at = clock_timestamp()
     where cancel_reason is not null and status in ('dispatched', 'running');
  `);
}

/** Removes it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`alter table tb_host_run drop column cancel_asked_at`);
}
