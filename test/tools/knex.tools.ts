import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../proto/package-root.js';
import { itKeepsTheDatabaseRight, type ToolUnderTest } from '../support/migration-scenarios.js';

const cli = join(packageRoot(), 'node_modules/knex/bin/cli.js');

const knex: ToolUnderTest = {
  database: { tool: 'knex', command: [process.execPath, cli] },
  files: {
    'package.json': '{"type":"commonjs"}',
    'knexfile.js': `module.exports = { client: 'pg', connection: process.env.DATABASE_URL };\n`,
  },
  prepare: ({ release }) => symlink(join(packageRoot(), 'node_modules'), join(release, 'node_modules')),
  migration: (number, flaw) => {
    const id = `2024010${number}_t${number}.js`;
    const boom = flaw === 'fails' ? `await knex.raw('boom');` : '';
    const down = `exports.down = (knex) => knex.schema.dropTable('t${number}');`;
    return {
      id,
      files: {
        [`migrations/${id}`]: `exports.up = async (knex) => {
          ${boom}
          await knex.schema.createTable('t${number}', (table) => table.integer('id').primary());
        };
        exports.config = { transaction: false };
        ${flaw === 'no_way_down' ? 'exports.down = async () => {};' : down}\n`,
      },
    };
  },
  foreign: [
    `insert into knex_migrations (name, batch, migration_time) values ('20230101_theirs.js', 9, now())`,
  ],
  stepsDown: ['migration_unchanged', 'migrate_down', 'migrate_down_2', 'migration_undone'],
};

describe('migrations with knex', function () {
  this.timeout(60_000);
  itKeepsTheDatabaseRight(knex);
});
