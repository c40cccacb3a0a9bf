import type { Knex } from 'knex';

/** Runs: one phase of a deployment on one host. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_host_run (
      id text primary key,
      position bigint generated always as identity unique,
      deployment_id text not null references tb_deployment (id) on delete cascade,
      host text not null,
      phase text not null check (phase in ('prepare', 'migrate', 'release', 'undo', 'migrate_down', 'prune')),
      attempt integer not null check (attempt > 0),
      status text not null default 'pending' check (status in (
        'pending', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted', 'lost', 'skipped')),
      steps bytea not null,
      commit text not null,
      reason jsonb,
      last_seq bigint not null default 0,
      cancel_reason jsonb,
      current_step jsonb,
      previous_release text,
      previous_proven_good boolean,
      migration jsonb,
      live_release text,
      created_at timestamptz not null default clock_timestamp(),
      dispatched_at timestamptz,
      started_at timestamptz,
      finished_at timestamptz,
      constraint one_run_per_attempt unique (deployment_id, host, phase, attempt)
    );

    create index open_runs_on_host on tb_host_run (host, position) where status in ('pending', 'dispatched', 'running');
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_host_run`);
}
