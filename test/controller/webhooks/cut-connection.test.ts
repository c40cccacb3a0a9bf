import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { openDatabase } from '../../../controller/db/database.js';
import { createLedger } from '../../../controller/db/ledger.js';
import { aPush, configure, edgesOn, postgresStore, withHttp } from './support.js';

/** More statements than accepting a delivery has; the test fails when that is not enough. */
const MOST = 60;
/** The first of several is accepted alone, all others in one group; with what is read before. */
const STATEMENTS_OF_TWO_GROUPS = 16;
const TOGETHER = 6;

type Moment = 'before it is sent' | 'once it is sent, before its answer';

/** The connection in use is cut at the n-th statement of this pool, counted from now; false: there were not so many. */
function cutAt(db: Knex, n: number, moment: Moment): () => boolean {
  let statements = 0;
  let done = false;
  const pool = (db.client as { pool: { used: { resource: { connection: { stream: Socket } } }[] } }).pool;
  const cut = (): void => {
    statements += 1;
    if (statements !== n) return;
    done = true;
    for (const { resource } of pool.used) {
      const { stream } = resource.connection;
      // What was written before goes out first: the server carries it out, and nobody hears what came of it.
      if (moment === 'before it is sent') stream.destroy();
      else setImmediate(() => stream.write('', () => stream.destroy()));
    }
  };
  db.on('query', cut);
  return () => {
    db.removeListener('query', cut);
    return done;
  };
}

describe('a database connection that is cut while a delivery is accepted (row 1)', function () {
  this.timeout(120_000);

  for (const moment of ['before it is sent', 'once it is sent, before its answer'] as const) {
    it(`at any statement, ${moment}, loses nothing that was answered 2xx and deploys nothing twice`, async () => {
      const store = await postgresStore();
      const db = openDatabase({ url: store.test.url, applicationName: 'fraisier-cut' });
      let made = 0;
      const edges = { ...edgesOn(createLedger(db)), newId: (prefix: string) => `${prefix}_${(made += 1)}` };
      const statuses: number[] = [];
      try {
        await configure(store.ledger);
        await withHttp(
          edges.ledger,
          async ({ send }) => {
            for (let n = 1; n <= MOST; n += 1) {
              const push = aPush({ branch: 'main', commit: n.toString(16).padStart(40, '0') });
              const wasCut = cutAt(db, n, moment);
              const { status } = await send(push);
              if (!wasCut()) {
                expect(status).to.equal(202);
                return;
              }
              statuses.push(status);
              const again = await send(push);
              expect([200, 202]).to.include(again.status);
              expect(again.body['deployments']).to.have.lengthOf(2);
            }
            throw new Error(`accepting a delivery has more than ${MOST} statements`);
          },
          { edges },
        );
        const perPush = new Map<string, number>();
        for (const { commit: sha, environment } of await store.deployments()) {
          perPush.set(`${environment} ${sha}`, (perPush.get(`${environment} ${sha}`) ?? 0) + 1);
        }
        expect([...perPush.values()].every((count) => count === 1)).to.equal(true);
        expect(perPush.size).to.equal(2 * (statuses.length + 1));
        expect(new Set(statuses)).to.deep.equal(new Set([503]));
        expect(statuses.length).to.be.greaterThan(5);
      } finally {
        await db.destroy();
        await store.close();
      }
    });

    it(`at any statement of those of several at once, ${moment}, loses nothing and deploys nothing twice`, async () => {
      const store = await postgresStore();
      const db = openDatabase({ url: store.test.url, applicationName: 'fraisier-cut' });
      let made = 0;
      const edges = { ...edgesOn(createLedger(db)), newId: (prefix: string) => `${prefix}_${(made += 1)}` };
      const refused = new Set<number>();
      try {
        await configure(store.ledger);
        await withHttp(
          edges.ledger,
          async ({ send }) => {
            for (let n = 1; n <= STATEMENTS_OF_TWO_GROUPS; n += 1) {
              const pushes = Array.from({ length: TOGETHER }, (_, at) =>
                aPush({ branch: 'main', commit: (n * TOGETHER + at).toString(16).padStart(40, '0') }),
              );
              const wasCut = cutAt(db, n, moment);
              const answers = await Promise.all(pushes.map((push) => send(push)));
              expect(wasCut(), `statement ${n}`).to.equal(true);
              const stored = new Set((await store.deployments()).map((one) => one.id));
              for (const { status, body } of answers) {
                // 200: a group that was committed, which nobody heard; each finds itself when it is tried again.
                expect([200, 202, 503]).to.include(status);
                if (status === 503) refused.add(n);
                for (const id of (body['deployments'] ?? []) as string[])
                  expect(stored.has(id)).to.equal(true);
              }
              for (const { status, body } of await Promise.all(pushes.map((push) => send(push)))) {
                expect([200, 202]).to.include(status);
                expect(body['deployments']).to.have.lengthOf(2);
              }
            }
          },
          { edges },
        );
        const keys = (await store.deployments()).map((one) => `${one.environment} ${one.commit}`);
        expect(new Set(keys).size).to.equal(keys.length);
        expect(keys).to.have.length(2 * TOGETHER * STATEMENTS_OF_TWO_GROUPS);
        // Alone it is refused; in a group each is tried again by itself.
        expect(refused.size).to.be.greaterThan(0).and.lessThan(STATEMENTS_OF_TWO_GROUPS);
      } finally {
        await db.destroy();
        await store.close();
      }
    });
  }
});
