import type { Knex } from 'knex';

/** Deployments, and the row per fraise and environment that is locked before one of them starts. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_fraise_state (
      fraise text not null,
      environment text not null,
      created_at timestamptz not null default clock_timestamp(),
      primary key (fraise, environment)
    );

    create table tb_deployment (
      id text primary key,
      position bigint generated always as identity unique,
      fraise text not null,
      environment text not null,
      kind text not null check (kind in ('deploy', 'rollback', 'retry')),
      status text not null default 'queued' check (status in (
        'queued', 'running', 'paused', 'rolling_back', 'succeeded', 'unchanged', 'failed', 'rolled_back',
        'rollback_failed', 'cancelled', 'superseded')),
      commit text not null,
      ref text not null,
      config_revision integer not null,
      trigger text not null check (trigger in ('webhook', 'cli', 'api', 'missed_push', 'schedule')),
      requested_by text not null,
      webhook_id text,
      request_id text unique,
      origin_id text references tb_deployment (id) on delete set null,
      force boolean not null,
      only_hosts text[] not null,
      pushed_at timestamptz,
      reason jsonb,
      plan bytea,
      old_version text,
      new_version text,
      cancel_requested_by text,
      continue_requested_by text,
      created_at timestamptz not null default clock_timestamp(),
      started_at timestamptz,
      finished_at timestamptz,
      last_number bigint not null default 0,
      changed_number bigint not null default 0,
      changed_at timestamptz not null default clock_timestamp()
    );

    create unique index one_active_deployment on tb_deployment (fraise, environment)
      where status in ('running', 'paused', 'rolling_back');
    create index unfinished_deployments on tb_deployment (position)
      where status in ('queued', 'running', 'paused', 'rolling_back');
    create index deployments_of_fraise on tb_deployment (fraise, environment, position);
    create index deployments_by_end on tb_deployment (finished_at) where finished_at is not null;
    create index deployments_of_webhook on tb_deployment (webhook_id) where webhook_id is not null;
    create index deployments_of_origin on tb_deployment (origin_id) where origin_id is not null;
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_deployment, tb_fraise_state`);
}
