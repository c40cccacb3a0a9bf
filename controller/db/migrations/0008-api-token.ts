import type { Knex } from 'knex';

/** Tokens of people and machines, as hashes. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_api_token (
      token_hash text primary key,
      name text not null,
      role text not null check (role in ('viewer', 'deployer', 'admin')),
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz,
      revoked_at timestamptz
    );
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_api_token`);
}
