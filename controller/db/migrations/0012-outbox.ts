import type { Knex } from 'knex';

/** Notifications that leave after the transaction that caused them. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_outbox (
      number bigint generated always as identity primary key,
      topic text not null,
      payload jsonb not null,
      created_at timestamptz not null default clock_timestamp(),
      due_at timestamptz not null default clock_timestamp(),
      attempts integer not null default 0,
      last_error text,
      sent_at timestamptz
    );

    create index outbox_to_send on tb_outbox (due_at) where sent_at is null;
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_outbox`);
}
