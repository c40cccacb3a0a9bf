import { itKeepsTheDatabaseRight, type ToolUnderTest } from '../../support/migration-scenarios.js';

const sql: ToolUnderTest = {
  database: { tool: 'sql' },
  migration: (number, flaw) => {
    const id = `00${number}_t${number}`;
    const up = `create table t${number} (id int primary key);\n${flaw === 'fails' ? 'boom;\n' : ''}`;
    const down = flaw === 'no_way_down' ? '-- nothing\n' : `drop table t${number};\n`;
    return { id, files: { [`migrations/${id}.up.sql`]: up, [`migrations/${id}.down.sql`]: down } };
  },
  foreign: [`insert into fraisier_migrations (id) values ('900_theirs')`],
  stepsDown: ['migration_unchanged', 'migrate_down', 'migrate_down_2', 'migration_undone'],
};

describe('migrations with sql', function () {
  this.timeout(60_000);
  itKeepsTheDatabaseRight(sql);
});
