import type { Knex } from 'knex';

/** Enrolled hosts with the lease of their connection, and the tokens they join with. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_agent (
      name text primary key,
      labels jsonb not null,
      certificate_serial text not null,
      certificate_expires_at timestamptz not null,
      enrolled_at timestamptz not null default clock_timestamp(),
      revoked_at timestamptz,
      controller_id text,
      epoch bigint not null default 0,
      lease_expires_at timestamptz,
      last_seen_at timestamptz,
      agent_version text not null default '',
      boot_id text not null default '',
      instance_id text not null default '',
      live jsonb not null default '[]'
    );

    create table tb_join_token (
      token_hash text primary key,
      name text not null,
      labels jsonb not null,
      created_by text not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      used_at timestamptz,
      used_by_key text
    );
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_join_token, tb_agent`);
}
