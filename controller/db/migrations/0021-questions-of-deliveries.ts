import type { Knex } from 'knex';

/** Who asks about a delivery that waits, until when; and what was last seen of the branches that are looked at. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter table tb_webhook_event add column asked_until timestamptz;
    create index deliveries_of_commit on tb_webhook_event (commit, branch) where commit <> '';

    create table tb_branch_check (
      repository text not null,
      branch text not null,
      commit text not null default '',
      next_at timestamptz not null,
      primary key (repository, branch)
    );
  `);
}

/** Removes both, with what is in them. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`
    drop table tb_branch_check;
    drop index deliveries_of_commit;
    alter table tb_webhook_event drop column asked_until;
  `);
}
