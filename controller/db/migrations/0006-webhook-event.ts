import type { Knex } from 'knex';

/** Every delivery of every git host. Verified ones claim their id; of an id at most one does. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table tb_webhook_event (
      id text primary key,
      position bigint generated always as identity unique,
      provider text not null,
      delivery_id text not null,
      claimed boolean not null,
      event text not null,
      repository text not null,
      branch text not null,
      tag text not null,
      commit text not null,
      sender text not null,
      verdict text not null check (verdict in (
        'deployed', 'ignored', 'duplicate', 'pong', 'pending', 'bad_signature', 'unparseable', 'too_large',
        'rate_limited')),
      reason jsonb,
      headers jsonb not null,
      body bytea,
      matched_secret text,
      original_id text,
      received_at timestamptz not null default clock_timestamp()
    );

    create unique index one_claim_per_delivery on tb_webhook_event (provider, delivery_id) where claimed;
    create index pending_deliveries on tb_webhook_event (position) where verdict = 'pending';
  `);
}

/** Removes it with everything in it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop table tb_webhook_event`);
}
