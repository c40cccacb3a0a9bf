import { expect } from 'chai';
import { acceptDeliveries, acceptInGroups } from '../../../controller/webhooks/accept-deliveries.js';
import { configurationReader } from '../../../controller/webhooks/current-configuration.js';
import { github } from '../../../controller/webhooks/github.js';
import { judgeDelivery, type Judged } from '../../../controller/webhooks/judge-delivery.js';
import type { Edges } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { PushToSign } from '../../support/github.js';
import {
  aPush,
  configure,
  CONFIGURATION,
  edgesOn,
  memoryStore,
  postgresStore,
  REPOSITORY,
  type Store,
} from './support.js';

/** All of one second, so that only the order in which they come tells which one is newer. */
const PUSHED_AT = new Date('2026-05-01T12:00:00Z');

async function judged(edges: Edges, pushes: readonly Partial<PushToSign>[]): Promise<readonly Judged[]> {
  const verifier = {
    edges,
    readConfiguration: configurationReader(),
    onUnusableSecret: () => undefined,
  };
  return Promise.all(
    pushes.map((push) => {
      const { headers, body } = aPush({ pushedAt: PUSHED_AT, ...push });
      return judgeDelivery(verifier, { provider: github, rawBody: body, headers });
    }),
  );
}

/** Different commits of a branch, each with a delivery id of its own. */
function pushes(count: number, more: Partial<PushToSign> = {}): readonly Partial<PushToSign>[] {
  return Array.from({ length: count }, (_, n) => ({
    commit: (n + 1).toString(16).padStart(40, '0'),
    deliveryId: `delivery-${n}`,
    ...more,
  }));
}

for (const [name, open] of [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
] as const) {
  describe(`deliveries that are accepted together, on ${name},`, function () {
    this.timeout(30_000);

    async function prepared(work: (edges: Edges, store: Store) => Promise<void>, text = CONFIGURATION) {
      const store: Store = await open();
      try {
        await configure(store.ledger, text);
        await work(edgesOn(store.ledger), store);
      } finally {
        await store.close();
      }
    }

    it('supersede each other in the order in which they came', () =>
      prepared(async (edges, store) => {
        const first = await acceptDeliveries(edges, await judged(edges, pushes(1)));
        const rest = await acceptDeliveries(edges, await judged(edges, pushes(4).slice(1)));
        expect([...first, ...rest].map(({ status }) => status)).to.deep.equal(Array(4).fill('accepted'));
        const ids = [...first, ...rest].flatMap((one) => ('deployments' in one ? one.deployments : []));
        const all = await store.deployments();
        expect(all.map((one) => one.id)).to.deep.equal(ids);
        const statuses = all.map(({ status, reason }) => [status, reason?.facts['by']]);
        expect(statuses).to.deep.equal([
          ['superseded', ids[1]],
          ['superseded', ids[2]],
          ['superseded', ids[3]],
          ['queued', undefined],
        ]);
        const requested = (await store.audit()).filter((one) => one.action === 'deployment_requested');
        expect(requested.map(({ facts }) => facts['supersedes'])).to.deep.equal([
          undefined,
          ...ids.slice(0, 3),
        ]);
        const told = await store.ledger.unaddressedNotifications(100);
        expect(told.at(-1)?.payload).to.deep.equal({ deployment: ids[3], status: 'queued' });
        expect(told).to.have.length(5);
      }));

    it('get each its own answer: the same twice, what deploys nothing, and what was there before', () =>
      prepared(async (edges, store) => {
        const [known, fresh] = pushes(2);
        await acceptDeliveries(edges, await judged(edges, [known ?? {}]));
        const ignored = { branch: 'topic', deliveryId: 'ignored' };
        await acceptDeliveries(edges, await judged(edges, [ignored]));
        const all = [known, fresh, fresh, ignored].map((one) => one ?? {});
        const received = await acceptDeliveries(edges, await judged(edges, all));
        expect(received.map(({ status }) => status)).to.deep.equal([
          'duplicate',
          'accepted',
          'duplicate',
          'ignored',
        ]);
        const [, accepted, repeat] = received;
        expect(repeat).to.deep.include({
          originalId: accepted?.webhookId,
          deployments: accepted !== undefined && 'deployments' in accepted ? accepted.deployments : [],
        });
        expect((await store.deliveries()).filter((one) => one.claimed)).to.have.length(3);
        expect(await store.deployments()).to.have.length(2);
      }));

    it('fail each for itself: one that cannot be stored keeps none of the others out', () =>
      prepared(async (edges, store) => {
        const refusing = (ledger: Ledger): Ledger => ({
          ...ledger,
          transaction: (work) =>
            ledger.transaction((tx) => work(refusing({ ...tx, transaction: tx.transaction }))),
          claimDeliveries: (rows) =>
            rows.some((row) => row.deliveryId === 'delivery-3')
              ? Promise.reject(new Error('this one cannot be stored'))
              : ledger.claimDeliveries(rows),
        });
        const accept = acceptInGroups({ ...edges, ledger: refusing(store.ledger) });
        const all = await judged(edges, pushes(6));
        const settled = await Promise.allSettled(all.map(accept));
        expect(settled.map(({ status }) => status)).to.deep.equal(
          [0, 1, 2, 3, 4, 5].map((n) => (n === 3 ? 'rejected' : 'fulfilled')),
        );
        expect(await store.deliveries()).to.have.length(5);
        expect((await store.deployments()).filter((one) => one.status === 'queued')).to.have.length(1);
      }));

    it('to environments that look for missed pushes are known when one was recorded', () =>
      prepared(
        async (edges, store) => {
          const received = await acceptDeliveries(edges, await judged(edges, pushes(3)));
          expect(received.map(({ status }) => status)).to.deep.equal(Array(3).fill('accepted'));
          expect((await store.deployments()).filter((one) => one.status === 'queued')).to.have.length(1);
        },
        CONFIGURATION.replace(
          'staging: { branch: develop,',
          'staging: { branch: develop, missed_push_check: 5m,',
        ),
      ));
  });
}

describe('accepting deliveries', function () {
  this.timeout(30_000);

  it('takes as many statements for many as for one, each time in one transaction', async () => {
    const store = await postgresStore();
    try {
      await configure(store.ledger);
      const edges = edgesOn(store.ledger);
      const counted = async (group: readonly Judged[]): Promise<readonly string[]> => {
        const statements: string[] = [];
        const note = ({ sql }: { sql: string }): void =>
          void statements.push(sql.trim().split(/\s+/)[0] ?? '');
        store.test.db.on('query', note);
        await acceptDeliveries(edges, group);
        store.test.db.removeListener('query', note);
        return statements;
      };
      const main = { branch: 'main', repository: REPOSITORY };
      const [one, many] = [
        await counted(await judged(edges, pushes(1, main))),
        await counted(await judged(edges, pushes(40, main).slice(1))),
      ];
      expect(many).to.deep.equal(one);
      expect(one).to.have.length(7);
      expect([one[0], one.at(-1)]).to.deep.equal(['BEGIN;', 'COMMIT;']);
      expect(await store.deployments()).to.have.length(80);
    } finally {
      await store.close();
    }
  });
});
