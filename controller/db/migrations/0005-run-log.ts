import type { Knex } from 'knex';

/** Output of steps, in chunks as the agents flush it. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_run_log (
      number bigint generated always as identity primary key,
      deployment_id text not null references tb_deployment (id) on delete cascade,
      run_id text not null references tb_host_run (id) on delete cascade,
      step text not null,
      attempt integer not null,
      start_offset bigint not null check (start_offset >= 0),
      end_offset bigint not null,
      data bytea not null,
      truncated boolean not null,
      stored_at timestamptz not null default clock_timestamp(),
      constraint one_chunk_per_offset unique (run_id, step, attempt, start_offset),
      check (end_offset = start_offset + length(data))
    );

    create index logs_of_deployment on tb_run_log (deployment_id, number);
    alter table tb_run_log alter column data set storage external;
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_run_log`);
}
