import type { Knex } from 'knex';

/** Every configuration that was ever applied; a deployment names the one it was planned from. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_config_revision (
      revision integer primary key check (revision > 0),
      text text not null,
      file_name text not null,
      applied_by text not null,
      applied_at timestamptz not null default clock_timestamp()
    );
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_config_revision`);
}
