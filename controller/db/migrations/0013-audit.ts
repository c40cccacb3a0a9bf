import type { Knex } from 'knex';

/** Who did what. Rows commit with the change they are about; the hashes are filled in afterwards. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_audit (
      number bigint generated always as identity primary key,
      actor text not null,
      action text not null,
      subject text not null,
      facts jsonb not null,
      recorded_at timestamptz not null default clock_timestamp(),
      seal bigint unique,
      previous_hash bytea,
      hash bytea
    );

    create index audit_of_subject on tb_audit (subject, number);
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_audit`);
}
