import type { Knex } from 'knex';

/** The certificate authority (its key sealed with a file that is not here), and the controllers that share this database. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_authority (
      one boolean primary key default true check (one),
      certificate_pem text not null,
      sealed_key bytea not null,
      created_at timestamptz not null default clock_timestamp()
    );

    create table tb_controller (
      id text primary key,
      advertised text[] not null,
      version text not null,
      started_at timestamptz not null default clock_timestamp(),
      seen_at timestamptz not null default clock_timestamp()
    );
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_controller, tb_authority`);
}
