import {
  itKeepsTheDatabaseRight,
  type MigrationFiles,
  type ToolUnderTest,
} from '../support/migration-scenarios.js';
import { revisionFile } from './revision-file.js';

const APP = `
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_migrate import Migrate

app = Flask(__name__)
app.config['SQLALCHEMY_DATABASE_URI'] = os.environ['SQLALCHEMY_URL']
app.config['SQLALCHEMY_TRACK_MODIFICATIONS'] = False
db = SQLAlchemy(app)
migrate = Migrate(app, db)
`;

const ENV = `
from alembic import context
from flask import current_app
with current_app.extensions['migrate'].db.engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
`;

const flaskMigrate: ToolUnderTest = {
  database: { tool: 'flask_migrate', command: ['/usr/bin/python3', '-m', 'flask'] },
  environment: (url) => ({ SQLALCHEMY_URL: url.replace(/^postgres(?:ql)?:/, 'postgresql+psycopg2:') }),
  files: {
    'app.py': APP,
    'migrations/alembic.ini': '[alembic]\n',
    'migrations/env.py': ENV,
    'migrations/script.py.mako': '',
  },
  migration: (number, flaw): MigrationFiles => revisionFile('migrations/versions', number, flaw),
  foreign: [`update alembic_version set version_num = 'theirs'`],
  stepsDown: ['migration_unchanged', 'migrate_down', 'migration_undone'],
};

describe('migrations with flask_migrate', function () {
  this.timeout(120_000);
  itKeepsTheDatabaseRight(flaskMigrate);
});
