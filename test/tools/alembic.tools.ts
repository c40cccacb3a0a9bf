import {
  itKeepsTheDatabaseRight,
  type MigrationFiles,
  type ToolUnderTest,
} from '../support/migration-scenarios.js';
import { revisionFile } from './revision-file.js';

const ENV = `
import os
from alembic import context
from sqlalchemy import create_engine
print("an env.py that prints must not be taken for a revision", file=__import__("sys").stderr)
with create_engine(os.environ["SQLALCHEMY_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
`;

const alembic: ToolUnderTest = {
  database: { tool: 'alembic', command: ['/usr/bin/alembic'], directory: 'db' },
  environment: (url) => ({ SQLALCHEMY_URL: url.replace(/^postgres(?:ql)?:/, 'postgresql+psycopg2:') }),
  files: {
    'db/alembic.ini': '[alembic]\nscript_location = %(here)s/scripts\n',
    'db/scripts/env.py': ENV,
    'db/scripts/script.py.mako': '',
  },
  migration: (number, flaw): MigrationFiles => revisionFile('db/scripts/versions', number, flaw),
  foreign: [`update alembic_version set version_num = 'theirs'`],
  stepsDown: ['migration_unchanged', 'migrate_down', 'migration_undone'],
};

describe('migrations with alembic', function () {
  this.timeout(120_000);
  itKeepsTheDatabaseRight(alembic);
});
