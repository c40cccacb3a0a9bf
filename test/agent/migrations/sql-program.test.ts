import { expect } from 'chai';
import pg from 'pg';
import { startable } from '../../../agent/migrations/own-program.js';
import { withMigrationLab, type MigrationLab } from '../../support/migration-lab.js';
import { runCommand, type CommandOutput } from '../../support/run-command.js';

/** `fraisier sql …` as a step would start it, in the release. */
function sql(
  lab: MigrationLab,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<CommandOutput> {
  const [, ...rest] = startable(['fraisier', 'sql', ...args]);
  const surroundings = { PATH: process.env['PATH'], DATABASE_URL: lab.url, ...environment };
  return runCommand([process.execPath, ...rest], { cwd: lab.release, environment: surroundings });
}

const files = {
  'migrations/1_a.up.sql': 'create table a (id int);',
  'migrations/1_a.down.sql': 'drop table a;',
  'migrations/2_b.up.sql': '-- no transaction\ncreate index concurrently b on a (id);',
  'migrations/2_b.down.sql': '-- no transaction\ndrop index concurrently b;',
};

describe('fraisier sql', function () {
  this.timeout(60_000);

  it('runs a file that says so outside of any transaction, and undoes only the newest', () =>
    withMigrationLab(async (lab) => {
      await lab.write(files);
      expect((await sql(lab, ['status'])).stdout).to.equal(
        '{"applied":[],"pending":["1_a","2_b"],"irreversible":[]}\n',
      );
      expect((await sql(lab, ['up'])).stdout).to.equal('applied 1_a\napplied 2_b\n');
      expect((await sql(lab, ['up'])).stdout).to.equal('nothing is pending\n');
      const older = await sql(lab, ['down', '1_a']);
      expect([older.code, older.stderr]).to.deep.equal([
        1,
        '1_a is not the newest migration here, that is 2_b\n',
      ]);
      expect((await sql(lab, ['down', '2_b'])).stdout).to.equal('undone 2_b\n');
      await lab.remove('migrations/1_a.down.sql');
      expect((await sql(lab, ['down', '1_a'])).stderr).to.equal('there is no 1_a.down.sql in migrations\n');
    }));

  it('says file and line of a fault, and leaves nothing of that file', () =>
    withMigrationLab(async (lab) => {
      await lab.write({ 'db/1_a.up.sql': 'create table a (id int);\n\nboom;\n', 'db/1_a.down.sql': '' });
      const { code, stderr } = await sql(lab, ['up', '--directory', 'db']);
      expect([code, stderr]).to.deep.equal([1, '1_a.up.sql:3: syntax error at or near "boom"\n']);
      expect((await sql(lab, ['status', '--directory', 'db'])).stdout).to.contain('"irreversible":["1_a"]');
      expect(await lab.query(`select 1 from pg_tables where tablename = 'a'`)).to.deep.equal([]);
      await lab.write({ 'db/1_a.up.sql': '-- no transaction\nselect 1/0' });
      expect((await sql(lab, ['up', '--directory', 'db'])).stderr).to.equal('1_a.up.sql: division by zero\n');
    }));

  it('makes the database anew', () =>
    withMigrationLab(async (lab) => {
      await lab.write(files);
      await lab.query('create table left_over (id int)');
      expect((await sql(lab, ['rebuild'])).stdout)
        .to.contain('dropped everything')
        .and.to.contain('applied 2_b');
      expect(
        await lab.query(`select tablename from pg_tables where schemaname = 'public' order by 1`),
      ).to.deep.equal([{ tablename: 'a' }, { tablename: 'fraisier_migrations' }]);
    }));

  it('waits for whoever migrates at the same time', () =>
    withMigrationLab(async (lab) => {
      await lab.write(files);
      const other = new pg.Client({ connectionString: lab.url });
      await other.connect();
      await other.query('select pg_advisory_lock($1, $2)', [0x66726173, 0x71]);
      const waiting = sql(lab, ['up']);
      const first = await Promise.race([waiting.then(() => 'done'), connected(lab).then(() => 'waits')]);
      await other.end();
      expect([first, (await waiting).code]).to.deep.equal(['waits', 0]);
    }));

  it('tells which versions another tool recorded, where that can be asked', () =>
    withMigrationLab(async (lab) => {
      const asked = ['recorded', '--table', 'schema_migrations', '--column', 'version'];
      expect((await sql(lab, asked)).stdout).to.equal('{"recorded":[]}\n');
      await lab.query(
        `create schema ours; create table ours.done (version text); insert into ours.done values ('2'), ('1')`,
      );
      const named = await sql(lab, asked, { DBMATE_MIGRATIONS_TABLE: 'ours.done' });
      expect(named.stdout).to.equal('{"recorded":["1","2"]}\n');
      expect((await sql(lab, asked, { DATABASE_URL: 'mysql://x/y' })).stdout).to.equal('{"recorded":null}\n');
    }));

  it('says what it lacks', () =>
    withMigrationLab(async (lab) => {
      const bare = await sql(lab, ['status'], { DATABASE_URL: '' });
      expect([bare.code, bare.stderr]).to.deep.equal([
        1,
        'DATABASE_URL is not set: put it into the environment_file of this host\n',
      ]);
      expect((await sql(lab, [])).stderr).to.contain('fraisier sql status|up|down ID|rebuild');
      expect((await sql(lab, ['status'])).stderr).to.contain('migrations');
    }));
});

async function connected(lab: MigrationLab): Promise<void> {
  for (;;) {
    const rows = await lab.query(
      `select 1 from pg_stat_activity where application_name = 'fraisier sql' and state = 'idle'`,
    );
    if (rows.length > 0) return;
  }
}
