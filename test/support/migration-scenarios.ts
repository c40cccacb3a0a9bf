import { expect } from 'chai';
import type { Database } from '../../controller/fraises/fraises.js';
import { copyOfDatabase, emptyDatabase, type TestDatabase } from './database.js';
import { withMigrationLab, type Course, type MigrationLab, type Outcome } from './migration-lab.js';

/** A real tool, as these scenarios drive it. Migration N makes the table tN. */
export interface ToolUnderTest {
  readonly database: Partial<Database>;
  /** Host variables beside DATABASE_URL. */
  readonly environment?: (url: string) => Readonly<Record<string, string>>;
  /** What the release holds beside migrations. */
  readonly files?: Readonly<Record<string, string>>;
  readonly prepare?: (lab: MigrationLab) => Promise<void>;
  /** The files of migration N, and its identifier. */
  readonly migration: (number: number, flaw?: 'fails' | 'no_way_down') => MigrationFiles;
  /** What the tool writes for a migration that this release has no file of. */
  readonly foreign: readonly string[];
  /** Undoing two migrations, as planned. */
  readonly stepsDown: readonly string[];
}

export interface MigrationFiles {
  readonly id: string;
  readonly files: Readonly<Record<string, string>>;
}

/** What has to hold with every tool, against a real PostgreSQL and with real processes. Migration 1 was applied long ago. */
export function itKeepsTheDatabaseRight(tool: ToolUnderTest): void {
  let base: TestDatabase;

  before('the first migration, by a deployment', async () => {
    base = await emptyDatabase();
    await inRelease({ url: base.url, close: async () => undefined }, async (lab) => {
      expect(await deploy(lab)).to.include({ status: 'succeeded', reason: null });
      expect(await tables(lab)).to.deep.equal(['t1']);
    });
  });

  after(() => base.close());

  const inRelease = (
    database: Pick<TestDatabase, 'url' | 'close'>,
    use: (lab: MigrationLab) => Promise<void>,
  ): Promise<void> =>
    withMigrationLab(
      async (lab) => {
        await lab.write({ ...tool.files, ...tool.migration(1).files });
        await tool.prepare?.(lab);
        await use(lab);
      },
      tool.environment,
      database,
    );

  const given = (use: (lab: MigrationLab) => Promise<void>) => async (): Promise<void> => {
    await base.db.destroy();
    await inRelease(await copyOfDatabase(base), use);
  };

  const deploy = (lab: MigrationLab, course: Course = {}, more: Partial<Database> = {}): Promise<Outcome> =>
    lab.deploy({ ...tool.database, ...more }, course);

  const add = async (lab: MigrationLab, ...numbers: number[]): Promise<void> => {
    for (const number of numbers) await lab.write(tool.migration(number).files);
  };

  const somebodyElse = (lab: MigrationLab) => async (): Promise<void> => {
    await lab.query('create table theirs (id int)');
    for (const statement of tool.foreign) await lab.query(statement);
  };

  it(
    'applies what is pending and knows what that was; then nothing is pending',
    given(async (lab) => {
      await add(lab, 2, 3);
      const first = await deploy(lab);
      expect(first.status, first.reason?.message).to.equal('succeeded');
      expect(await tables(lab)).to.deep.equal(['t1', 't2', 't3']);
      expect(pendingAfter(first, 'prepare')).to.deep.equal([tool.migration(2).id, tool.migration(3).id]);
      expect(pendingAfter(first, 'migrate')).to.deep.equal([]);
      const second = await deploy(lab);
      expect(second.runs.map(({ phase }) => phase)).to.deep.equal(['prepare', 'release', 'prune']);
    }),
  );

  it(
    'leaves the schema of before behind a release that fails',
    given(async (lab) => {
      const before = await lab.schema();
      await add(lab, 2, 3);
      const outcome = await deploy(lab, { releaseFails: true });
      expect(outcome.status, outcome.reason?.message).to.equal('rolled_back');
      expect(outcome).to.have.nested.property('reason.facts.migration', 'undone');
      expect(outcome.steps('migrate_down')).to.deep.equal(tool.stepsDown);
      expect(await lab.schema()).to.deep.equal(before);
    }),
  );

  it(
    'undoes exactly what was applied when the second of three fails',
    given(async (lab) => {
      const before = await lab.schema();
      await lab.write({
        ...tool.migration(2).files,
        ...tool.migration(3, 'fails').files,
        ...tool.migration(4).files,
      });
      const outcome = await deploy(lab);
      expect(outcome.reason?.code).to.equal('migration_failed');
      expect(outcome.status, outcome.reason?.message).to.equal('rolled_back');
      expect(pendingAfter(outcome, 'migrate')).to.deep.equal([tool.migration(3).id, tool.migration(4).id]);
      expect(await lab.schema()).to.deep.equal(before);
    }),
  );

  it(
    'undoes nothing when somebody else migrated since it did',
    given(async (lab) => {
      await add(lab, 2, 3);
      const down = await deploy(lab, { releaseFails: true, before: { migrate_down: somebodyElse(lab) } });
      expect([down.status, down.reason?.code]).to.deep.equal(['rollback_failed', 'migration_not_undone']);
      expect(await tables(lab)).to.deep.equal(['t1', 't2', 't3', 'theirs']);
    }),
  );

  it(
    'does not begin when somebody else migrated since it looked',
    given(async (lab) => {
      await add(lab, 2, 3);
      const { status, reason } = await deploy(lab, { before: { migrate: somebodyElse(lab) } });
      expect(reason?.code, reason?.message).to.equal('migrations_changed');
      expect([status, reason?.facts['migration']]).to.deep.equal(['failed', 'not_begun']);
      expect(await tables(lab)).to.deep.equal(['t1', 'theirs']);
    }),
  );

  it(
    'refuses what has no way down before anything is touched; where it is allowed, says that it stays',
    given(async (lab) => {
      const before = await lab.schema();
      await lab.write({ ...tool.migration(2).files, ...tool.migration(3, 'no_way_down').files });
      const refused = await deploy(lab);
      expect([refused.status, refused.reason?.code]).to.deep.equal(['failed', 'irreversible_migration']);
      expect(refused.reason?.facts['migrations']).to.equal(tool.migration(3).id);
      expect(await lab.schema()).to.deep.equal(before);
      const { status, reason } = await deploy(lab, { releaseFails: true }, { allowIrreversible: true });
      expect([status, reason?.facts['migration']]).to.deep.equal(['rolled_back', 'kept']);
      expect(reason?.message).to.include(`no way down for ${tool.migration(3).id}`);
      expect(await tables(lab)).to.deep.equal(['t1', 't2', 't3']);
    }),
  );

  it(
    'goes on by `continue` from what a migration applied whose end was not heard of',
    given(async (lab) => {
      await lab.write({ ...tool.migration(2).files, ...tool.migration(3, 'fails').files });
      const mend = async (): Promise<void> => {
        if ((await tables(lab)).includes('t2')) await add(lab, 3);
      };
      const course = {
        migrateIsInterrupted: true,
        whenPaused: 'continue',
        before: { migrate: mend },
      } as const;
      const outcome = await deploy(lab, course);
      expect(outcome.status, outcome.reason?.message).to.equal('succeeded');
      expect(await tables(lab)).to.deep.equal(['t1', 't2', 't3']);
    }),
  );
}

function pendingAfter({ runs }: Outcome, phase: 'prepare' | 'migrate'): readonly string[] | undefined {
  return runs.findLast((run) => run.phase === phase)?.migration?.pending;
}

async function tables(lab: MigrationLab): Promise<readonly unknown[]> {
  const rows = await lab.query(`select tablename as name from pg_tables where schemaname = 'public'
    and (tablename ~ '^t[0-9]$' or tablename = 'theirs') order by length(tablename), tablename`);
  return rows.map(({ name }) => name);
}
