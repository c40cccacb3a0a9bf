import { expect } from 'chai';
import { FraisierError } from '../../../proto/error-codes.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { openDatabase } from '../../../controller/db/database.js';
import { createLedger } from '../../../controller/db/ledger.js';
import { claimDelivery } from '../../../controller/webhooks/claim-delivery.js';
import { aPush, configure, memoryStore, postgresStore, withHttp } from './support.js';

/** The same ledger, with something happening before each call of this name, also within transactions. */
function before(ledger: Ledger, name: keyof Ledger, act: () => Promise<void>): Ledger {
  return new Proxy(ledger, {
    get(target, key: keyof Ledger) {
      if (key === 'transaction') {
        return (work: (tx: Ledger) => Promise<unknown>) =>
          target.transaction((tx) => work(before(tx, name, act)));
      }
      const call = target[key] as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        if (key === name) await act();
        return await call(...args);
      };
    },
  });
}

describe('while the database is away', function () {
  this.timeout(60_000);

  it('a delivery is answered 503 and when to come again, and health says why', async () => {
    const db = openDatabase({ url: 'postgres://nobody@127.0.0.1:9/none' });
    try {
      await withHttp(createLedger(db), async ({ send, url }) => {
        const { status, headers, body } = await send(aPush());
        expect(status).to.equal(503);
        expect(Number(headers.get('retry-after'))).to.be.greaterThan(0);
        expect(body).to.have.all.keys('error_type', 'message', 'recovery_hint');
        expect(body['error_type']).to.equal('database_unavailable');
        const health = await fetch(`${url}/health`);
        expect(health.status).to.equal(503);
        expect(await health.json()).to.deep.equal({
          status: 'unhealthy',
          reason: 'the database does not answer',
        });
      });
    } finally {
      await db.destroy();
    }
  });

  for (const step of ['claimDeliveries', 'holdQueues', 'writeQueues', 'audit', 'wake'] as const) {
    it(`from the step ${step} on, nothing is half-written, and the same delivery deploys once it is back`, async () => {
      const store = await postgresStore();
      const other = openDatabase({ url: store.test.url, applicationName: 'the-other' });
      const cut = async (): Promise<void> => {
        await other.raw(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
        );
      };
      try {
        await configure(store.ledger);
        const push = aPush({ branch: 'main' });
        await withHttp(before(store.ledger, step, cut), async ({ send, log }) => {
          expect((await send(push)).status, JSON.stringify(log)).to.equal(503);
        });
        expect(await store.deployments()).to.deep.equal([]);
        expect(await store.deliveries()).to.deep.equal([]);
        await withHttp(store.ledger, async ({ send }) => {
          expect((await send(push)).status).to.equal(202);
        });
        expect(await store.deployments()).to.have.length(2);
      } finally {
        await other.destroy();
        await store.close();
      }
    });
  }

  it('what was refused is answered as if it had been recorded', async () => {
    const { ledger } = await memoryStore();
    await configure(ledger);
    const failing = before(ledger, 'insertDelivery', () =>
      Promise.reject(new FraisierError('database_away', 'the database is away')),
    );
    await withHttp(failing, async ({ send, log }) => {
      expect((await send(aPush({ secret: 'not the one' }))).status).to.equal(401);
      expect(log.map((line) => line['msg'])).to.include('a refused delivery could not be recorded');
    });
  });

  it('nothing is asked of it more than a bounded number of times', async () => {
    const never = { claimDelivery: () => Promise.resolve(null), holdClaimed: () => Promise.resolve(null) };
    const failure = await claimDelivery(never as unknown as Ledger, { deliveryId: 'x' } as never).catch(
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(FraisierError).and.have.nested.property('reason.code', 'internal');
  });
});
