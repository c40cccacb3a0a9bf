import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { isExpected } from '../../../agent/migrations/expected.js';
import { irreversibleMigrations } from '../../../agent/questions/irreversible-migrations.js';
import { startable } from '../../../agent/migrations/own-program.js';
import { withOwnOptions } from '../../../agent/migrations/postgres-options.js';
import { missingHere, readerOf } from '../../../agent/migrations/read-status.js';
import { runsAlone, sqlMigrations } from '../../../agent/migrations/sql-files.js';
import { digestOf, stateOf, type Told } from '../../../agent/migrations/told.js';
import { hasNoWayDown } from '../../../agent/migrations/ways-down.js';
import { MigrationStatus } from '../../../proto/gen/fraisier/v1/plan.js';
import { aState } from '../../support/builders.js';
import { withFolder } from '../exec/a-spec.js';

/** What the tools printed, word for word: knex 3.3, dbmate 2.36, alembic 1.8. */
const KNEX = `Using environment: production
Found 2 Completed Migration file/files.
20240101_t1.js
20240102_t2.js
Found 1 Pending Migration file/files.
20240103_t3.js

`;
const KNEX_NEW = `No Completed Migration files Found.
Found 1 Pending Migration file/files.
20240103_t3.js

`;
const KNEX_DONE = `Found 1 Completed Migration file/files.\n20240101_t1.js\nNo Pending Migration files Found.\n`;
const DBMATE = `[X] 20240101000000_t1.sql
[X] 20240103000000_t3.sql
[ ] 20240104000000_t4.sql

Applied: 2
Pending: 1
`;
const HISTORY = `Rev: a3 (head)
Parent: a2
Path: /srv/alembic/versions/a3_t3.py

    table t3
${'    '}
    Revision ID: a3
    Revises: 'a2'

Rev: a2
Parent: a1
Path: /srv/alembic/versions/a2_t2.py

    table t2

Rev: a1
Parent: <base>
Path: /srv/alembic/versions/a1_t1.py

    table t1

`;
const BRANCHED = `Rev: a3 (head)
Parent: a2
Path: /srv/a3.py

    table t3

Rev: b3 (head)
Parent: a2
Path: /srv/b3.py

    table t3

Rev: a2 (branchpoint)
Parent: <base>
Branches into: a3, b3
Path: /srv/a2.py

    table t2
`;

async function read(
  tool: string,
  outputs: readonly string[],
  files: Record<string, string> = {},
  directory = '',
) {
  return readerOf(tool)(outputs, { directory, read: (path) => Promise.resolve(files[path] ?? null) });
}

const GOOD_JS = 'exports.up = () => {}; exports.down = (knex) => knex.schema.dropTable("t");';
const GOOD_PY = 'def upgrade() -> None:\n    pass\n\n\ndef downgrade() -> None:\n    op.drop_table("t")\n';

describe('what a migration tool prints', () => {
  it('is read from knex migrate:list', async () => {
    const files = { 'migrations/20240103_t3.js': GOOD_JS };
    expect(await read('knex', [KNEX], files)).to.deep.equal({
      revision: '20240102_t2.js',
      applied: ['20240101_t1.js', '20240102_t2.js'],
      pending: ['20240103_t3.js'],
      irreversible: [],
    });
    expect(await read('knex', [KNEX_NEW], { 'db/20240103_t3.js': 'exports.up = 1' }, 'db')).to.deep.equal({
      revision: '',
      applied: [],
      pending: ['20240103_t3.js'],
      irreversible: ['20240103_t3.js'],
    });
    expect(await read('knex', [KNEX_DONE])).to.deep.include({ pending: [], revision: '20240101_t1.js' });
  });

  it('is read from dbmate status, with what is recorded beside the files', async () => {
    const files = {
      'db/migrations/20240104000000_t4.sql': '-- migrate:up\nselect 1;\n-- migrate:down\n-- nothing\n;',
    };
    const recorded = '{"recorded":["20230101000000","20240101000000","20240103000000"]}\n';
    expect(await read('dbmate', [DBMATE, recorded], files)).to.deep.equal({
      revision: '20240103000000_t3.sql',
      applied: ['20240101000000_t1.sql', '20240103000000_t3.sql', '20230101000000'],
      pending: ['20240104000000_t4.sql'],
      irreversible: ['20240104000000_t4.sql'],
    });
    const unasked = await read('dbmate', [DBMATE, '{"recorded":null}'], files);
    expect(unasked).to.deep.include({ applied: ['20240101000000_t1.sql', '20240103000000_t3.sql'] });
    expect(await read('dbmate', ['\nApplied: 0\nPending: 0\n', '{"recorded":[]}'])).to.deep.include({
      revision: '',
    });
  });

  it('is read from alembic current and history', async () => {
    const files = { '/srv/alembic/versions/a3_t3.py': GOOD_PY, '/srv/alembic/versions/a2_t2.py': 'x = 1' };
    for (const tool of ['alembic', 'flask_migrate'])
      expect(await read(tool, ['a1\n', HISTORY], files)).to.deep.equal({
        revision: 'a1',
        applied: ['a1'],
        pending: ['a2', 'a3'],
        irreversible: ['a2'],
      });
    expect(await read('alembic', ['a3 (head)\n', HISTORY])).to.deep.include({ revision: 'a3', pending: [] });
    expect(await read('alembic', ['', ''])).to.deep.include({ revision: '', applied: [], pending: [] });
  });

  it('is read from what Django’s loader, our own program and a command of the user print', async () => {
    const lists =
      '{"applied": ["auth.0001", "shop.0001", "auth.0002"], "pending": ["shop.0002"], "irreversible": ["shop.0002"]}';
    expect(await read('django', [`6 objects imported automatically\n${lists}\n`])).to.deep.include({
      revision: 'auth.0002 shop.0001',
      irreversible: ['shop.0002'],
    });
    expect(await read('sql', ['{"applied":["001_a"],"pending":[],"irreversible":[]}'])).to.deep.include({
      revision: '001_a',
    });
    expect(await read('sql', ['{"applied":[],"pending":[],"irreversible":[]}'])).to.deep.include({
      revision: '',
    });
    expect(
      await read('command', ['{"revision": null, "pending": ["a"], "irreversible": ["a"]}']),
    ).to.deep.equal({
      revision: '',
      applied: null,
      pending: ['a'],
      irreversible: ['a'],
    });
  });

  const garbage: [string, string[], RegExp][] = [
    ['knex', [''], /no list of completed/],
    [
      'knex',
      ['Found 1 Pending Migration file/files.\na.js\nNo Completed Migration files Found.'],
      /no list of completed/,
    ],
    ['knex', [KNEX.replace('Found 2', 'Found 3')], /not as long as its headline/],
    ['knex', [KNEX.replace('20240103_t3.js', 'a file.js')], /not as long as its headline/],
    ['knex', [KNEX.replace('20240103_t3.js', '20240101_t1.js')], /names the migration 20240101_t1\.js twice/],
    ['knex', [KNEX], /the pending 20240103_t3\.js is not in migrations/],
    ['dbmate', ['', ''], /its sums/],
    ['dbmate', [DBMATE.replace('[ ]', '[?]'), '{"recorded":null}'], /neither "\[X\] file" nor/],
    ['dbmate', [DBMATE.replace('Applied: 2', 'Applied: 3'), '{"recorded":null}'], /its sums/],
    ['dbmate', [DBMATE.replace('t4', 't1').replace('20240104', '20240101'), '{"recorded":null}'], /twice/],
    ['dbmate', [DBMATE, 'hello'], /list of recorded versions/],
    ['dbmate', [DBMATE, '{"recorded":[1]}'], /list of recorded versions/],
    ['dbmate', [DBMATE, '{"recorded":null}'], /the pending 20240104000000_t4\.sql is not in db\/migrations/],
    ['alembic', ['a1\na2\n', HISTORY], /more than one current revision/],
    ['alembic', ['hello world', HISTORY], /"hello world" is no revision/],
    ['alembic', ['zz', HISTORY], /the current revision zz is not in its history/],
    ['alembic', ['', 'hello'], /not made of blocks/],
    ['alembic', ['', HISTORY.replace('Parent: a1', 'Parent: a0')], /not one line: a2 does not follow/],
    ['alembic', ['', BRANCHED], /not made of blocks/],
    ['alembic', ['', HISTORY], /the file of the pending a1 cannot be read/],
    ['django', ['{"applied": []}'], /not an object with the lists/],
    ['sql', ['{"applied":["a"],"pending":["a"],"irreversible":[]}'], /names the migration a twice/],
    ['command', [''], /its last line is not a JSON object/],
    ['command', ['{"revision": "1", "pending": []}\ndone'], /its last line is not a JSON object/],
    ['command', ['[]'], /its last line is not a JSON object/],
    ['command', ['null'], /its last line is not a JSON object/],
    ['command', ['{"pending": []}'], /"revision" must be a text or null/],
    ['command', ['{"revision": 41, "pending": []}'], /"revision" must be a text or null/],
    ['command', ['{"revision": "41"}'], /"pending" must be a list/],
    ['command', ['{"revision": "41", "pending": [42]}'], /"pending" must be a list/],
    ['command', ['{"revision": "41", "pending": [""]}'], /"pending" must be a list/],
    ['command', ['{"revision": "41", "pending": ["a", "a"]}'], /"pending" names a migration twice/],
    [
      'command',
      ['{"revision": "41", "pending": [], "irreversible": ["a"]}'],
      /"irreversible" must be a list of some/,
    ],
    [
      'command',
      ['{"revision": "41", "pending": [], "head": 1}'],
      /it has the key "head", which has no meaning/,
    ],
  ];
  for (const [tool, outputs, why] of garbage) {
    it(`is not guessed at: ${tool} with ${JSON.stringify(outputs).slice(0, 60)} … ${why.source.slice(0, 30)}`, async () => {
      const told = await read(tool, outputs);
      expect('unreadable' in told && told.unreadable).to.match(why);
    });
  }

  it('names what the database has and the release has not', () => {
    expect(
      missingHere('Error: The migration directory is corrupt, the following files are missing: a.js, b.js\n'),
    ).to.equal('a.js, b.js');
    expect(missingHere("FAILED: Can't locate revision identified by 'a3'\n")).to.equal('a3');
    expect(missingHere('connection refused')).to.equal('');
  });
});

describe('a way down', () => {
  const none: [string, string][] = [
    ['dbmate', '-- migrate:up\ncreate table t ();\n'],
    ['dbmate', '-- migrate:up\ncreate table t ();\n-- migrate:down\n'],
    ['dbmate', '-- migrate:up\n-- migrate:down transaction:false\n/* no */ -- no\n'],
    ['knex', 'exports.up = () => {};'],
    ['knex', 'export async function up() {}\nexport async function down(knex: Knex): Promise<void> {}'],
    ['knex', 'module.exports = { up() {}, down: async () => { /* no */ } };'],
    ['knex', 'exports.up = 1; exports.down = function () { throw new Error("never"); };'],
    ['knex', 'exports.up = 1; exports.down = async () => { return; };'],
    ['alembic', 'def upgrade():\n    pass\n'],
    ['alembic', 'def downgrade():\n    pass\n'],
    [
      'alembic',
      'def downgrade() -> None:\n    """Never."""\n    # no\n    pass\n\n\ndef other():\n    op.x()\n',
    ],
    ['flask_migrate', 'def downgrade():\n    raise NotImplementedError\n'],
  ];
  const some: [string, string][] = [
    ['dbmate', '-- migrate:up\n-- migrate:down\ndrop table t;'],
    ['knex', GOOD_JS],
    ['knex', 'export const up = 1;\nexport const down = (knex) => knex.raw("x");'],
    ['knex', 'module.exports = { up, async down(knex) { await knex.raw("x"); } };'],
    ['alembic', GOOD_PY],
    ['alembic', 'def downgrade():\n    # first\n    op.drop_table("t")'],
    ['rails', 'whatever'],
  ];
  it('is seen to be missing where its text does nothing', () => {
    for (const [tool, text] of none) expect(hasNoWayDown(tool, text), `${tool}: ${text}`).to.equal(true);
  });
  it('is taken for one where its text does something', () => {
    for (const [tool, text] of some) expect(hasNoWayDown(tool, text), `${tool}: ${text}`).to.equal(false);
  });
});

describe('the migrations that a commit would bring', () => {
  it('are looked through for those without a way down', async () => {
    const files: Record<string, string> = {
      'm/1_a.up.sql': 'x',
      'm/1_a.down.sql': 'y',
      'm/2_b.up.sql': 'x',
      'm/3.sql': '-- migrate:up\nx\n-- migrate:down\n',
      'm/4.js': 'exports.up = 1',
      'versions/5.py': 'def upgrade():\n    x()\n\n\ndef downgrade():\n    pass\n',
      'versions/__init__.py': '',
    };
    const of = (tool: string, paths = Object.keys(files)) =>
      irreversibleMigrations(tool, paths, (path) => Promise.resolve(files[path] ?? null));
    expect(await of('sql')).to.deep.equal(['m/2_b.up.sql']);
    expect(await of('sql', ['m/gone.up.sql'])).to.deep.equal([]);
    expect(await of('dbmate')).to.deep.equal(['m/3.sql']);
    expect(await of('knex'))
      .to.include('m/4.js')
      .and.not.to.include('m/1_a.up.sql');
    expect(await of('alembic')).to.deep.equal(['versions/5.py']);
    expect(await of('flask_migrate', ['gone.py'])).to.deep.equal([]);
    for (const tool of ['django', '']) expect(await of(tool)).to.deep.equal([]);
  });
});

describe('what was found in a database', () => {
  const expect0 = stateOf({ revision: 'a', applied: ['a'], pending: ['b', 'c'], irreversible: [] });
  const found = (applied: string[], pending: string[]): Told => {
    return { revision: applied.at(-1) ?? '', applied, pending, irreversible: [] };
  };
  const judge = (told: Told, more: Partial<MigrationStatus> = {}): boolean =>
    isExpected(told, MigrationStatus.fromPartial({ expect: expect0, ...more }));

  it('is good when it is exactly what is expected', () => {
    expect(judge(found(['a'], ['b', 'c']))).to.equal(true);
    expect(judge(found(['a', 'x'], ['b', 'c']))).to.equal(false);
    expect(judge(found(['a', 'b'], ['c']))).to.equal(false);
    expect(judge(found(['a'], ['b', 'c', 'd']))).to.equal(false);
    expect(isExpected(found([], []), MigrationStatus.fromPartial({}))).to.equal(true);
  });

  it('is good when the first of what was pending are applied, where that is allowed', () => {
    const progress = { progress: true };
    for (const good of [found(['a'], ['b', 'c']), found(['a', 'b'], ['c']), found(['b', 'c', 'a'], [])])
      expect(judge(good, progress)).to.equal(true);
    for (const bad of [
      found(['a', 'c'], ['b']),
      found(['a', 'b', 'x'], ['c']),
      found(['b'], ['c']),
      found(['a', 'x'], ['c']),
    ])
      expect(judge(bad, progress)).to.equal(false);
    expect(judge({ ...found([], ['c']), applied: null }, progress)).to.equal(true);
  });

  it('is good when exactly so many are applied, where that is asked', () => {
    expect(judge(found(['a', 'b'], ['c']), { applied: 1 })).to.equal(true);
    expect(judge(found(['a', 'b', 'c'], []), { applied: 1 })).to.equal(false);
    expect(judge(found(['a'], ['b', 'c']), { applied: 1 })).to.equal(false);
  });

  it('is recorded with a digest of all that is applied, in any order', () => {
    expect(digestOf(['b', 'a']))
      .to.equal(digestOf(['a', 'b']))
      .and.to.match(/^[0-9a-f]{64}$/);
    expect(stateOf({ ...found(['a'], []), applied: null })).to.deep.equal(aState('a', []));
  });
});

describe('`fraisier sql` in a plan', () => {
  it('is the agent’s own program, whatever is called fraisier here', () => {
    const [node, script, ...rest] = startable(['fraisier', 'sql', 'up', '--directory', 'db']);
    expect([node, rest]).to.deep.equal([process.execPath, ['up', '--directory', 'db']]);
    expect(script).to.match(/agent\/migrations\/sql-program\.js$/);
    for (const other of [['fraisier', 'agent'], ['knex'], []]) expect(startable(other)).to.equal(other);
  });

  it('takes numbered files only, in the order of their numbers', () =>
    withFolder(async (folder) => {
      const write = (name: string, text = 'select 1;') => writeFile(join(folder, name), text);
      await write('2_b.up.sql');
      await write('10_c.up.sql', '-- no transaction\nselect 1;');
      await write('2_b.down.sql', '-- nothing');
      await write('1_a.up.sql');
      await write('1_a.down.sql');
      await write('README.md');
      const migrations = await sqlMigrations(folder);
      expect(migrations.map(({ id, down }) => [id, down])).to.deep.equal([
        ['1_a', 'select 1;'],
        ['2_b', null],
        ['10_c', null],
      ]);
      expect(migrations.map(({ up }) => runsAlone(up))).to.deep.equal([false, false, true]);
      const refused = async () => (await sqlMigrations(folder).catch((error: unknown) => error)) as Error;
      await write('02_d.up.sql');
      expect((await refused()).message).to.contain('has the same number as another file');
      await write('3_e.down.sql');
      expect((await refused()).message).to.contain('3_e.down.sql has no 3_e.up.sql beside it');
      await write('odd.sql');
      expect((await refused()).message).to.contain('odd.sql: the name must be NNN_name.up.sql');
    }));
});

describe('the limits of a migration', () => {
  it('stand behind the host’s own options', () =>
    withFolder(async (folder) => {
      await mkdir(folder, { recursive: true });
      const file = join(folder, 'env');
      const limits = { PGOPTIONS: '-c lock_timeout=5000', FRAISIER_REVISION: 'r' };
      expect(await withOwnOptions(limits, file)).to.deep.equal(limits);
      await writeFile(file, 'A=1\n');
      expect(await withOwnOptions(limits, file)).to.deep.equal(limits);
      await writeFile(file, 'PGOPTIONS="-c search_path=shop"\n');
      expect(await withOwnOptions(limits, file)).to.deep.include({
        PGOPTIONS: '-c search_path=shop -c lock_timeout=5000',
      });
      expect(await withOwnOptions({ A: '1' }, file)).to.deep.equal({ A: '1' });
      expect(await withOwnOptions(limits, '')).to.deep.equal(limits);
    }));
});
