import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { migrateToLatest, openDatabase } from '../../../controller/db/database.js';
import { startEmbedded } from '../../../controller/db/embedded.js';
import { select } from '../../../controller/db/row.js';
import { withDatabase } from '../../support/database.js';

/** Whatever the suites run on (a server by DATABASE_URL, or the embedded one), what a user gets is the same. */
describe('the schema', function () {
  this.timeout(60_000);

  it('of the tests’ server is that of an embedded one as a controller starts it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fraisier-schema-'));
    await chmod(folder, 0o711);
    const embedded = await startEmbedded({ folder: join(folder, 'database') });
    const db = openDatabase({ connection: embedded.connection });
    try {
      await migrateToLatest(db);
      const expected = await describeSchema(db);
      expect(expected.columns).not.to.be.empty;
      await withDatabase(async (tests) => expect(await describeSchema(tests)).to.deep.equal(expected));
    } finally {
      await db.destroy();
      await embedded.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** What PostgreSQL versions tell in the same words: no view's text, no named `not null`. */
async function describeSchema(
  db: Knex,
): Promise<Record<'columns' | 'constraints' | 'indexes' | 'settings', unknown[]>> {
  return {
    columns: await select(
      db,
      `select table_name, column_name, data_type, is_nullable, column_default, is_identity from information_schema.columns
        where table_schema = 'public' and table_name !~ '^knex' order by table_name, ordinal_position`,
    ),
    constraints: await select(
      db,
      `select conname, pg_get_constraintdef(oid) as is from pg_constraint
        where connamespace = 'public'::regnamespace and contype <> 'n' and conname !~ '^knex' order by conname collate "C"`,
    ),
    indexes: await select(
      db,
      `select indexname, indexdef from pg_indexes
        where schemaname = 'public' and tablename !~ '^knex' order by indexname collate "C"`,
    ),
    settings: await select(
      db,
      `select name, setting from pg_settings where name in
        ('server_encoding', 'default_transaction_isolation', 'bytea_output', 'statement_timeout') order by name collate "C"`,
    ),
  };
}
