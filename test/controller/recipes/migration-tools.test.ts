import { expect } from 'chai';
import {
  MIGRATION_TOOLS,
  migrationTool,
  type MigrationToolName,
} from '../../../controller/recipes/migration-tools/index.js';
import type { MigrationTool, Way, Words } from '../../../controller/recipes/migration-tools/tool.js';
import { aState } from '../../support/builders.js';

const way: Way = {
  before: aState('r1', ['r2', 'r3']),
  after: aState('r3', []),
  applied: ['r3', 'r2'],
};

/** Each command as one line; `directory` given the second time. */
const LINES: Record<MigrationToolName, { plain: Lines; below?: Lines }> = {
  knex: {
    plain: {
      up: 'npx --no-install knex migrate:latest',
      status: ['npx --no-install knex migrate:list'],
      down: ['npx --no-install knex migrate:down r3', 'npx --no-install knex migrate:down r2'],
      rebuild: ['npx --no-install knex migrate:rollback --all', 'npx --no-install knex migrate:latest'],
    },
    below: {
      up: 'npx --no-install knex migrate:latest --migrations-directory db',
      status: ['npx --no-install knex migrate:list --migrations-directory db'],
      down: [
        'npx --no-install knex migrate:down --migrations-directory db r3',
        'npx --no-install knex migrate:down --migrations-directory db r2',
      ],
      rebuild: [
        'npx --no-install knex migrate:rollback --migrations-directory db --all',
        'npx --no-install knex migrate:latest --migrations-directory db',
      ],
    },
  },
  dbmate: {
    plain: {
      up: 'dbmate --no-dump-schema migrate',
      status: [
        'dbmate --no-dump-schema status',
        'fraisier sql recorded --table schema_migrations --column version',
      ],
      down: ['dbmate --no-dump-schema rollback', 'dbmate --no-dump-schema rollback'],
      rebuild: ['dbmate --no-dump-schema drop', 'dbmate --no-dump-schema up'],
    },
    below: {
      up: 'dbmate --no-dump-schema --migrations-dir db migrate',
      status: [
        'dbmate --no-dump-schema --migrations-dir db status',
        'fraisier sql recorded --table schema_migrations --column version',
      ],
      down: [
        'dbmate --no-dump-schema --migrations-dir db rollback',
        'dbmate --no-dump-schema --migrations-dir db rollback',
      ],
      rebuild: [
        'dbmate --no-dump-schema --migrations-dir db drop',
        'dbmate --no-dump-schema --migrations-dir db up',
      ],
    },
  },
  alembic: {
    plain: {
      up: 'alembic upgrade head',
      status: ['alembic current', 'alembic history --verbose'],
      down: ['alembic downgrade r1'],
      rebuild: ['alembic downgrade base', 'alembic upgrade head'],
    },
    below: {
      up: 'alembic -c db/alembic.ini upgrade head',
      status: ['alembic -c db/alembic.ini current', 'alembic -c db/alembic.ini history --verbose'],
      down: ['alembic -c db/alembic.ini downgrade r1'],
      rebuild: ['alembic -c db/alembic.ini downgrade base', 'alembic -c db/alembic.ini upgrade head'],
    },
  },
  flask_migrate: {
    plain: {
      up: 'flask db upgrade head',
      status: ['flask db current', 'flask db history --verbose'],
      down: ['flask db downgrade r1'],
      rebuild: ['flask db downgrade base', 'flask db upgrade head'],
    },
    below: {
      up: 'flask db upgrade --directory db head',
      status: ['flask db current --directory db', 'flask db history --directory db --verbose'],
      down: ['flask db downgrade --directory db r1'],
      rebuild: ['flask db downgrade --directory db base', 'flask db upgrade --directory db head'],
    },
  },
  sql: {
    plain: {
      up: 'fraisier sql up',
      status: ['fraisier sql status'],
      down: ['fraisier sql down r3', 'fraisier sql down r2'],
      rebuild: ['fraisier sql rebuild'],
    },
    below: {
      up: 'fraisier sql up --directory db',
      status: ['fraisier sql status --directory db'],
      down: ['fraisier sql down --directory db r3', 'fraisier sql down --directory db r2'],
      rebuild: ['fraisier sql rebuild --directory db'],
    },
  },
  django: {
    plain: {
      up: 'python3 manage.py migrate --no-input',
      status: ['python3 manage.py shell -c'],
      down: [],
      rebuild: null,
    },
  },
  confiture: {
    plain: {
      up: 'confiture migrate up',
      status: [],
      down: null,
      rebuild: null,
    },
  },
  prisma: {
    plain: {
      up: 'npx --no-install prisma migrate deploy',
      status: [],
      down: null,
      rebuild: ['npx --no-install prisma migrate reset --force --skip-seed'],
    },
    below: {
      up: 'npx --no-install prisma migrate deploy --schema db/schema.prisma',
      status: [],
      down: null,
      rebuild: ['npx --no-install prisma migrate reset --force --skip-seed --schema db/schema.prisma'],
    },
  },
  flyway: {
    plain: {
      up: 'flyway migrate',
      status: [],
      down: null,
      rebuild: ['flyway -cleanDisabled=false clean', 'flyway migrate'],
    },
    below: {
      up: 'flyway -locations=filesystem:db migrate',
      status: [],
      down: null,
      rebuild: [
        'flyway -locations=filesystem:db -cleanDisabled=false clean',
        'flyway -locations=filesystem:db migrate',
      ],
    },
  },
  rails: {
    plain: {
      up: 'bin/rails db:migrate',
      status: [],
      down: null,
      rebuild: ['bin/rails db:drop', 'bin/rails db:create', 'bin/rails db:migrate'],
    },
  },
  command: { plain: { up: '', status: [], down: null, rebuild: null } },
};

interface Lines {
  readonly up: string;
  readonly status: readonly string[];
  readonly down: readonly string[] | null;
  readonly rebuild: readonly string[] | null;
}

describe('a migration tool', () => {
  for (const [name, { plain, below }] of Object.entries(LINES)) {
    it(`${name} has these command lines`, () => {
      const tool = migrationTool(name);
      expect(linesOf(tool, '')).to.deep.equal(plain);
      expect(tool.directory === null).to.equal(below === undefined);
      if (below !== undefined) expect(linesOf(tool, 'db')).to.deep.equal(below);
    });
  }

  it('begins every way down with the words a policy is asked for beforehand', () => {
    for (const [name, tool] of Object.entries<MigrationTool>(MIGRATION_TOOLS)) {
      if (tool.down === null) continue;
      const settings = { program: tool.program, directory: '' };
      const one = { ...way, before: aState('shop.0001_a', []), applied: ['shop.0002_b'] };
      const begin = tool.down.begin(settings);
      for (const words of tool.down.commands(settings, one)) {
        expect(words.slice(0, begin.length), name).to.deep.equal(begin);
        expect(words.length, name).to.equal(begin.length + tool.down.words);
      }
    }
  });

  it('takes other words in place of its name', () => {
    const settings = { program: ['poetry', 'run', 'alembic'], directory: '' };
    expect(migrationTool('alembic').up(settings)).to.deep.equal([
      'poetry',
      'run',
      'alembic',
      'upgrade',
      'head',
    ]);
  });

  it('goes down to the base where nothing was applied before', () => {
    const down = migrationTool('alembic').down?.commands(
      { program: [], directory: '' },
      { ...way, before: aState('', []) },
    );
    expect(down).to.deep.equal([['downgrade', 'base']]);
  });

  it('that knows apps goes back in each of them, the newest first', () => {
    const before = aState('auth.0012_x shop.0001_initial', []);
    const applied = ['stock.0002_b', 'shop.0002_a', 'stock.0001_initial'];
    const down = migrationTool('django').down?.commands(
      { program: ['python3', 'manage.py'], directory: '' },
      { before, after: aState('', []), applied },
    );
    expect(down).to.deep.equal([
      ['python3', 'manage.py', 'migrate', '--no-input', 'stock', 'zero'],
      ['python3', 'manage.py', 'migrate', '--no-input', 'shop', '0001_initial'],
    ]);
  });

  it('that nobody knows is an error, not a guess', () => {
    expect(() => migrationTool('goose')).to.throw(
      'the plan names the migration tool goose, which is not known here',
    );
  });
});

function linesOf(tool: MigrationTool, directory: string): Lines {
  const settings = { program: tool.program, directory };
  const perApp = tool === MIGRATION_TOOLS.django;
  const status = tool.status(settings).map((words) => line(perApp ? words.slice(0, -1) : words));
  return {
    up: line(tool.up(settings)),
    status,
    down:
      tool.down === null
        ? null
        : tool.down.commands(settings, perApp ? { ...way, applied: [] } : way).map(line),
    rebuild: tool.rebuild === null ? null : tool.rebuild(settings).map(line),
  };
}

function line(words: Words): string {
  return words.join(' ');
}
