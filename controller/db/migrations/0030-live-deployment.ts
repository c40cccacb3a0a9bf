import type { Knex } from 'knex';

/** What is live in an environment is asked at every push: found by itself, however many deployments there were. */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create index live_deployments on tb_deployment (fraise, environment, finished_at desc nulls last, position desc)
      where status = 'succeeded' or (kind = 'rollback' and status = 'rolled_back');
  `);
}

/** Removes it. */
export async function down(db: Knex): Promise<void> {
  await db.raw(`drop index live_deployments`);
}
