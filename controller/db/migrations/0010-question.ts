import type { Knex } from 'knex';

/** Read-only questions to agents, answered through whichever controller holds the stream. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_question (
      id text primary key,
      position bigint generated always as identity unique,
      host text not null,
      question bytea not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      answer bytea,
      answered_at timestamptz
    );

    create index open_questions on tb_question (host, position) where answer is null;
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_question`);
}
