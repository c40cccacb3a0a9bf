import { itKeepsTheDatabaseRight, type ToolUnderTest } from '../support/migration-scenarios.js';

const dbmate: ToolUnderTest = {
  database: { tool: 'dbmate', command: [program()] },
  migration: (number, flaw) => {
    const id = `2024010${number}000000_t${number}.sql`;
    const up = `create table t${number} (id int primary key);\n${flaw === 'fails' ? 'boom;\n' : ''}`;
    const down = flaw === 'no_way_down' ? '' : `drop table t${number};\n`;
    return { id, files: { [`db/migrations/${id}`]: `-- migrate:up\n${up}\n-- migrate:down\n${down}` } };
  },
  foreign: [`insert into schema_migrations (version) values ('20230101000000')`],
  stepsDown: [
    'migration_unchanged',
    'migrate_down',
    'migration_between',
    'migrate_down_2',
    'migration_undone',
  ],
};

describe('migrations with dbmate', function () {
  this.timeout(60_000);
  itKeepsTheDatabaseRight(dbmate);
});

/** Its package names binaries for platforms that not every registry has, so it is no dependency of this one. */
function program(): string {
  const found = process.env['DBMATE'];
  if (found !== undefined) return found;
  throw new Error('set DBMATE to the program dbmate (npm install --prefix DIR dbmate puts it below DIR)');
}
