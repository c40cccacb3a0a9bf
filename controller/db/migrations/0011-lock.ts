import type { Knex } from 'knex';

/** Freezes of a fraise in an environment, with an owner, a reason and an end. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_lock (
      id text primary key,
      fraise text not null,
      environment text not null,
      owner text not null,
      reason text not null,
      locked_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz,
      released_at timestamptz,
      released_by text
    );

    create unique index one_lock_at_a_time on tb_lock (fraise, environment) where released_at is null;
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_lock`);
}
