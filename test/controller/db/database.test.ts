import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { isDatabaseAway, migrateToLatest, openDatabase } from '../../../controller/db/database.js';
import { orDatabaseAway } from '../../../controller/db/connection-failure.js';
import { createLedger } from '../../../controller/db/ledger.js';
import { select } from '../../../controller/db/row.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { testDatabase, withDatabase } from '../../support/database.js';
import { newDeployment } from './samples.js';

describe('a connection to the database', function () {
  this.timeout(20_000);

  it('ends by itself what would keep locks for ever, and says who it is', async () => {
    await withDatabase(async (db) => {
      const rows = await select(
        db,
        `select name, setting || coalesce(unit, '') as value from pg_settings where name in
          ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'application_name') order by name`,
      );
      expect(rows).to.deep.equal([
        { name: 'application_name', value: 'fraisier-test' },
        { name: 'idle_in_transaction_session_timeout', value: '15000ms' },
        { name: 'lock_timeout', value: '10000ms' },
        { name: 'statement_timeout', value: '30000ms' },
      ]);
    });
  });

  it('takes the options of the URL and of a configuration on top of its own', async () => {
    await withDatabase(async (_db, { url }) => {
      const added = `${url}${url.includes('?') ? '&' : '?'}options=${encodeURIComponent('-c lock_timeout=3s')}`;
      const { connectionString, options } = { connectionString: url, options: '-c lock_timeout=4s' };
      for (const [open, value] of [
        [{ url: added }, '3s'],
        [{ connection: { connectionString, options } }, '4s'],
      ] as const) {
        const db = openDatabase(open);
        const [row] = await select(
          db,
          `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`,
        );
        await db.destroy();
        expect(row).to.deep.equal({ lock: value, statement: '30s' });
      }
    });
  });

  it('reads bigint as a number', async () => {
    await withDatabase(async (db) => {
      expect(await select(db, 'select 9007199254740991::bigint as n')).to.deep.equal([
        { n: Number.MAX_SAFE_INTEGER },
      ]);
    });
  });

  it('makes none before it is needed, and works for a URL without parameters', async () => {
    const db = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/nothing' });
    await db.destroy();
  });
});

describe('a database that is away', function () {
  this.timeout(20_000);

  it('is told from one that answered', async () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    for (const away of [
      refused,
      new AggregateError([new Error('x'), refused]),
      Object.assign(new Error('terminating connection'), { code: '57P01' }),
      Object.assign(new Error('deadlock detected'), { code: '40P01' }),
      new Error('Connection terminated unexpectedly'),
      new Error('Knex: Timeout acquiring a connection. The pool is probably full.'),
      new FraisierError('database_away', 'away'),
    ]) {
      expect(isDatabaseAway(away), String(away)).to.equal(true);
    }
    for (const answered of [
      new Error('anything else'),
      Object.assign(new Error('duplicate key'), { code: '23505' }),
      Object.assign(new Error('no such file'), { code: 'ERR_MODULE_NOT_FOUND' }),
      new AggregateError([new Error('x')]),
      new FraisierError('internal', 'wrong'),
      'a string',
    ]) {
      expect(isDatabaseAway(answered), String(answered)).to.equal(false);
    }
  });

  it('is a refusal with a sentence and a hint, from every function of the ledger', async () => {
    const db = openDatabase({ url: `postgres://nobody@127.0.0.1:${await closedPort()}/nothing` });
    const ledger = createLedger(db);
    for (const work of [
      ledger.now(),
      ledger.deployment('d'),
      ledger.transaction(async (tx) => await tx.now()),
      migrateToLatest(db),
    ]) {
      const refusal = await refusalOf(work);
      expect(refusal.reason.code).to.equal('database_away');
      expect(refusal.message).to.match(/^the database is away: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
      expect(refusal.reason.hint).to.include('DATABASE_URL');
      expect(isDatabaseAway(refusal)).to.equal(true);
    }
    await db.destroy();
  });

  it('is named once per address of its host', async () => {
    const cause = new AggregateError([
      new Error('connect ECONNREFUSED ::1'),
      Object.assign(new Error('connect 127.0.0.1'), { code: 'ECONNREFUSED' }),
    ]);
    const refusal = await refusalOf(orDatabaseAway(Promise.reject(cause)));
    expect(refusal.message).to.equal('the database is away: connect ECONNREFUSED ::1; connect 127.0.0.1');
  });

  it('is told also when a connection is cut in the middle of a transaction, which leaves nothing', async () => {
    await withDatabase(async (db) => {
      const ledger = createLedger(db);
      const work = ledger.transaction(async (tx) => {
        await tx.insertDeployment(newDeployment({ id: 'd_cut' }));
        await db.raw(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and state = 'idle in transaction'`,
        );
        await tx.now();
      });
      expect((await refusalOf(work)).reason.code).to.equal('database_away');
      expect(await ledger.deployment('d_cut')).to.equal(null);
    });
  });

  it('is told also when a lock is not to be had in time', async () => {
    await withDatabase(async (db, { url }) => {
      const impatient = openDatabase({
        url: `${url}${url.includes('?') ? '&' : '?'}options=${encodeURIComponent('-c lock_timeout=50ms')}`,
      });
      const { id } = await createLedger(db).insertDeployment(newDeployment());
      await createLedger(db).transaction(async (tx) => {
        await tx.holdDeployment(id);
        const refusal = await refusalOf(createLedger(impatient).holdDeployment(id));
        expect(refusal.message).to.equal('the database is away: canceling statement due to lock timeout');
      });
      await impatient.destroy();
    });
  });

  it('lets the errors of the caller’s own work pass', async () => {
    const test = await testDatabase({ poolSize: 1 });
    try {
      const mine = Object.assign(new Error('mine'), { code: 'not a database' });
      const failure: unknown = await createLedger(test.db)
        .transaction(async () => await Promise.reject(mine))
        .then(
          () => null,
          (error: unknown) => error,
        );
      expect(failure).to.equal(mine);
    } finally {
      await test.close();
    }
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function refusalOf(work: Promise<unknown>): Promise<FraisierError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FraisierError)) throw new Error('expected a refusal', { cause: error });
  return error;
}
