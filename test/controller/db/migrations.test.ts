import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { migrateToLatest } from '../../../controller/db/database.js';
import { migrationSource } from '../../../controller/db/migrations.js';
import * as words from '../../../controller/deployments/lifecycle.js';
import { packageRoot } from '../../../proto/package-root.js';
import { emptyDatabase, withDatabase } from '../../support/database.js';

describe('the migrations', function () {
  this.timeout(60_000);

  it('go up, all the way down, and up again', async () => {
    const test = await emptyDatabase();
    try {
      await migrateToLatest(test.db);
      const before = await relations(test.db);
      expect(before).to.include('tb_deployment').and.include('v_webhook_history');
      await test.db.migrate.rollback({ migrationSource }, true);
      expect(await relations(test.db)).to.deep.equal([]);
      await migrateToLatest(test.db);
      expect(await relations(test.db)).to.deep.equal(before);
    } finally {
      await test.close();
    }
  });

  it('run once when several controllers start at once', async () => {
    const test = await emptyDatabase();
    try {
      await Promise.all([1, 2, 3, 4].map(async () => await migrateToLatest(test.db)));
      const { rows } = await rowsOf<{ n: number }>(test.db, 'select count(*) n from knex_migrations');
      expect(rows[0]?.n).to.equal((await migrationSource.getMigrations([])).length);
    } finally {
      await test.close();
    }
  });

  it('refuse a database that a newer fraisier has migrated', async () => {
    await withDatabase(async (db) => {
      await db('knex_migrations').insert({
        name: '9999-from-the-future',
        batch: 9,
        migration_time: db.fn.now(),
      });
      const failure = await migrateToLatest(db).then(
        () => null,
        (error: Error) => error,
      );
      await db('knex_migrations').where({ name: '9999-from-the-future' }).delete();
      expect(failure?.message).to.equal('the database was migrated by a newer fraisier than this one');
    });
  });

  it('leave nothing behind when one of them fails', async () => {
    const test = await emptyDatabase();
    try {
      await test.db.raw('create table tb_audit (in_the_way integer)');
      const failure = await migrateToLatest(test.db).then(
        () => null,
        (error: Error) => error.message,
      );
      expect(failure).to.match(/relation "tb_audit" already exists/);
      expect(await relations(test.db)).to.deep.equal(['tb_audit']);
    } finally {
      await test.close();
    }
  });

  it('take the second attempt of what is under way for the moment it was continued', async () => {
    const test = await emptyDatabase();
    try {
      await migrateToLatest(test.db);
      const step = { migrationSource, name: '0022-continued' };
      await test.db.migrate.down(step);
      await test.db.raw(`
        insert into tb_deployment (id, fraise, environment, kind, status, commit, ref, config_revision, trigger,
                                   requested_by, force, only_hosts)
        select id, id, '', 'deploy', status, '', '', 1, 'cli', '', false, '{}'
          from (values ('again', 'running'), ('once', 'running'), ('ended', 'succeeded')) as one (id, status);
        insert into tb_host_run (id, deployment_id, host, phase, attempt, steps, commit, created_at)
        select id || n, id, 'web-1', 'prepare', n, '', '', timestamptz '2026-05-01' + n * interval '1 day'
          from tb_deployment, generate_series(1, 3) n where n = 1 or id <> 'once'`);
      await test.db.migrate.up(step);
      const sql = `select id, continued_at from v_deployment_history where continued_at is not null`;
      const { rows } = await rowsOf<{ id: string; continued_at: Date }>(test.db, sql);
      expect(rows.map((row) => [row.id, row.continued_at.getUTCDate()])).to.deep.equal([['again', 4]]);
    } finally {
      await test.close();
    }
  });

  it('are all there is: an unknown name has no migration', async () => {
    const failure = await migrationSource.getMigration('nonsense').then(
      () => null,
      (error: Error) => error,
    );
    expect(failure?.message).to.equal('no migration is called nonsense');
  });

  for (const [table, column, list] of [
    ['tb_deployment', 'status', words.DEPLOYMENT_STATUSES],
    ['tb_deployment', 'kind', words.DEPLOYMENT_KINDS],
    ['tb_deployment', 'trigger', words.TRIGGERS],
    ['tb_host_run', 'status', words.RUN_STATUSES],
    ['tb_host_run', 'phase', words.RUN_PHASES],
    ['tb_webhook_event', 'verdict', words.WEBHOOK_VERDICTS],
    ['tb_outbox', 'outcome', words.NOTIFICATION_OUTCOMES],
  ] as const) {
    it(`allow ${table}.${column} exactly the words of lifecycle.ts`, async () => {
      await withDatabase(async (db) => {
        expect(await allowedWords(db, table, column)).to.have.members([...list]);
      });
    });
  }

  it('let one deployment of a pair be in exactly the active statuses', async () => {
    await withDatabase(async (db) => {
      const { rows } = await rowsOf<{ d: string }>(
        db,
        `select pg_get_expr(indpred, indrelid) d from pg_index where indexrelid = 'one_active_deployment'::regclass`,
      );
      expect(quotedWords(rows[0]?.d ?? '')).to.have.members([...words.ACTIVE_STATUSES]);
    });
  });

  it('work from knex’s command line, which says what it needs', async () => {
    const test = await emptyDatabase();
    try {
      const up = await knexCommand(test.url, 'migrate:latest');
      expect(up).to.match(/Batch 1 run: \d+ migrations/);
      expect(await relations(test.db)).to.include('tb_deployment');
      expect(await knexCommand(test.url, 'migrate:rollback')).to.match(/Batch 1 rolled back/);
      expect(await relations(test.db)).to.deep.equal([]);
      expect(await knexCommand('', 'migrate:latest')).to.include('DATABASE_URL is not set');
    } finally {
      await test.close();
    }
  });
});

async function knexCommand(url: string, command: string): Promise<string> {
  const cli = join('node_modules', 'knex', 'bin', 'cli.js');
  const argv = ['--import', 'tsx', cli, '--knexfile', 'knexfile.ts', command];
  // Coverage of the same files as TypeScript would be counted beside that of the compiled ones.
  const env = { PATH: process.env['PATH'], NODE_V8_COVERAGE: undefined, DATABASE_URL: url };
  const options = { cwd: packageRoot(), env };
  return await promisify(execFile)(process.execPath, argv, options).then(
    ({ stdout }) => stdout,
    (error: { stderr: string }) => error.stderr,
  );
}

async function rowsOf<T>(db: Knex, sql: string, bindings: readonly string[] = []): Promise<{ rows: T[] }> {
  return await db.raw<{ rows: T[] }>(sql, [...bindings]);
}

async function relations(db: Knex): Promise<string[]> {
  const { rows } = await rowsOf<{ name: string }>(
    db,
    `select relname as name from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace
        and relname not like 'knex%' order by 1`,
  );
  return rows.map((row) => row.name);
}

async function allowedWords(db: Knex, table: string, column: string): Promise<string[]> {
  const { rows } = await rowsOf<{ d: string }>(
    db,
    `select pg_get_constraintdef(oid) d from pg_constraint where conrelid = ?::regclass and conname = ?`,
    [table, `${table}_${column}_check`],
  );
  return quotedWords(rows[0]?.d ?? '');
}

function quotedWords(text: string): string[] {
  return [...text.matchAll(/'(\w+)'::text/g)].map((match) => String(match[1]));
}
