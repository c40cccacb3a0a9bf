import type { Knex } from 'knex';

/** What agents report, as they sent it (a protobuf RunEvent), numbered once per run and once per deployment. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_run_event (
      deployment_id text not null references tb_deployment (id) on delete cascade,
      number bigint not null,
      run_id text not null references tb_host_run (id) on delete cascade,
      seq bigint not null check (seq > 0),
      content bytea not null,
      recorded_at timestamptz not null default clock_timestamp(),
      primary key (deployment_id, number),
      constraint one_event_per_seq unique (run_id, seq)
    );
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_run_event`);
}
