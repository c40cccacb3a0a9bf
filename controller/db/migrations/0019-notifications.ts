import type { Knex } from 'knex';

/** What the outbox is about, through which lane it leaves, who has claimed it, and how it ended. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    drop index outbox_to_send;
    alter table tb_outbox rename column sent_at to ended_at;
    alter table tb_outbox
      add column about text not null default '',
      add column lane text,
      add column claimed_until timestamptz,
      add column outcome text check (outcome in ('sent', 'overtaken', 'unwanted', 'given_up'));

    -- Nobody sent anything before this: what piled up is news no longer.
    update tb_outbox set ended_at = clock_timestamp(), outcome = 'unwanted' where ended_at is null;

    create index outbox_to_send on tb_outbox (due_at, number) where ended_at is null;
    create index outbox_about on tb_outbox (about, number) where ended_at is null;
  `);
}

/** Forgets all of that, and what had ended without being sent counts as sent. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop index outbox_about;
    drop index outbox_to_send;
    alter table tb_outbox drop column outcome, drop column claimed_until, drop column lane, drop column about;
    alter table tb_outbox rename column ended_at to sent_at;
    create index outbox_to_send on tb_outbox (due_at) where sent_at is null;
  `);
}
