import { expect } from 'chai';
import { newDelivery } from '../db/samples.js';
import { configurationReader } from '../../../controller/webhooks/current-configuration.js';
import { replayDelivery } from '../../../controller/webhooks/replay-delivery.js';
import { settleDelivery } from '../../../controller/webhooks/settle-delivery.js';
import { startSettling } from '../../../controller/webhooks/settle-pending.js';
import type { WakeTopic } from '../../../controller/deployments/ledger/outbox.js';
import { reason } from '../../../proto/error-codes.js';
import { signedPush, signedTag, type PushToSign } from '../../support/github.js';
import { until } from '../../support/until.js';
import { connected, fromHistory, impatientEdges, whileAnswering } from './an-asked-agent.js';
import {
  commit,
  configure,
  memoryStore,
  postgresStore,
  REPOSITORY,
  SECRET,
  withHttp,
  type Sender,
  type Store,
} from './support.js';

const TEXT = `
git: { github: { webhook_secret: "${SECRET}" } }
fraises:
  shop:
    type: api
    repository: ${REPOSITORY}
    environments:
      part: { branch: main, tags: "v*", paths: ["shop/**"], hosts: [web-1], app_path: /srv/a, systemd_service: a.service }
      whole: { branch: main, hosts: [web-1], app_path: /srv/b, systemd_service: b.service }
`;
const ONLY_PART = TEXT.replace(/ {6}whole.*\n/, '');

const STORES: readonly (readonly [name: string, open: () => Promise<Store>])[] = [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
];

const [A, B, C] = ['a', 'b', 'c'].map(commit) as [string, string, string];
const HISTORY = fromHistory([A, B, C], { [B]: ['shop/index.ts'], [C]: ['docs/a.md'] });
const aPush = (push: Partial<PushToSign>) =>
  signedPush({
    ...{ repository: REPOSITORY, branch: 'main', commit: B, before: A, secret: SECRET },
    modified: ['docs/a.md'],
    ...push,
  });

for (const [name, open] of STORES) {
  describe(`a delivery that cannot say everything, on ${name},`, function () {
    this.timeout(60_000);

    async function prepared(
      work: (sender: Sender, store: Store) => Promise<void>,
      text = TEXT,
    ): Promise<void> {
      const store = await open();
      try {
        await configure(store.ledger, text);
        await connected(store.ledger);
        await withHttp(store.ledger, (sender) => work(sender, store));
      } finally {
        await store.close();
      }
    }

    /** Settles until no delivery is pending; returns what the agent was asked. */
    function settled(store: Store, answer = HISTORY): Promise<readonly string[]> {
      return whileAnswering(store.ledger, answer, async () => {
        const errors: unknown[] = [];
        const settling = startSettling(impatientEdges(store.ledger), {
          onError: (error) => errors.push(error),
          pollMs: 10,
        });
        const isDone = async () => (await store.deliveries()).every((one) => one.verdict !== 'pending');
        try {
          await until('no delivery to be pending', isDone, { everyMs: 5 });
        } finally {
          await settling.stop();
        }
        expect(errors).to.deep.equal([]);
      });
    }

    const outcome = async (store: Store) =>
      (await store.deployments()).map((one) => `${one.environment} ${one.commit.charAt(0)} ${one.status}`);

    it('deploys what it is sure of at once, and the rest when an agent has said what changed', () =>
      prepared(async ({ send }, store) => {
        const { status, body } = await send(aPush({ forced: true }));
        expect([status, body['status'], body['deployments']]).to.deep.equal([202, 'pending', ['d_0003']]);
        expect(await outcome(store)).to.deep.equal(['whole b queued']);
        const [waiting] = await store.deliveries();
        expect(waiting).to.include({ verdict: 'pending' });
        expect(waiting?.reason?.message).to.equal(
          'an agent is being asked about shop part (whether its paths changed)',
        );
        expect(await settled(store)).to.deep.equal(['a..b?']);
        expect(await outcome(store)).to.deep.equal(['whole b queued', 'part b queued']);
        expect((await store.deliveries())[0]).to.include({ verdict: 'deployed', reason: null });
        const [first, second] = await store.deployments();
        expect([first?.webhookId, second?.webhookId]).to.deep.equal([waiting?.id, waiting?.id]);
      }));

    it('is ignored when an agent says that nothing changed in the paths; sent again, it is judged again', () =>
      prepared(async ({ send }, store) => {
        const push = { forced: true, before: B, commit: C, deliveryId: 'one' };
        expect((await send(aPush(push))).status).to.equal(202);
        const repeated = await send(aPush(push));
        expect(repeated.body).to.include({ status: 'duplicate' });
        expect(await settled(store)).to.deep.equal(['b..c?']);
        expect(await outcome(store)).to.deep.equal([]);
        const [first] = await store.deliveries();
        expect([first?.verdict, first?.reason?.code]).to.deep.equal(['ignored', 'paths_unchanged']);
        expect((await send(aPush(push))).body).to.include({ status: 'pending' });
        await settled(store);
        expect((await store.deliveries()).map((one) => one.verdict)).to.deep.equal([
          'ignored',
          'duplicate',
          'ignored',
        ]);
      }, ONLY_PART));

    it('is compared with what was deployed last where its own beginning is not to be had', () =>
      prepared(async ({ send }, store) => {
        await send(aPush({ commit: A, before: commit('9'), modified: ['shop/a'] }));
        const [id] = (await store.deployments()).map((one) => one.id);
        await send(aPush({ commit: C, before: commit('e'), forced: true }));
        expect(await settled(store)).to.deep.equal(['e..c?', 'a..c?']);
        await send(aPush({ commit: B, before: '0'.repeat(40) }));
        expect(await settled(store)).to.deep.equal(['c..b?']);
        expect(await outcome(store)).to.deep.equal(['part a superseded', 'part c queued']);
        expect((await store.deployments())[0]?.id).to.equal(id);
      }, ONLY_PART));

    it('is deployed rather than left out when no agent can know', () =>
      prepared(async ({ send }, store) => {
        await send(aPush({ forced: true, before: commit('e') }));
        await settled(store);
        const reasonOf = async (at: number) => (await store.deliveries())[at]?.reason?.message;
        expect(await reasonOf(0)).to.equal(
          'shop part is deployed without knowing whether its paths changed: the push was forced; the commit is gone',
        );
        await send(aPush({ forced: true, commit: C, before: B }));
        await settled(store, () => ({ $case: 'pathsBetween', value: { paths: [], truncated: true } }));
        expect(await reasonOf(1)).to.include('; more paths changed than an agent tells');
        await send(aPush({ forced: true, commit: A, before: C }));
        await settled(store, () => ({ $case: 'resolved', value: { commit: A } }));
        expect(await reasonOf(2)).to.include('; an agent answered something else');
        expect(await outcome(store)).to.deep.equal([
          'part b superseded',
          'part c superseded',
          'part a queued',
        ]);
      }, ONLY_PART));

    it('of a new branch with nothing deployed before is deployed without asking', () =>
      prepared(async ({ send }, store) => {
        await send(aPush({ before: '0'.repeat(40) }));
        expect(await settled(store)).to.deep.equal([]);
        expect((await store.deliveries())[0]?.reason?.message).to.match(
          /; nothing was deployed there before$/,
        );
      }, ONLY_PART));

    it('is judged by the configuration of the moment of the answer, and by a body that may be gone', () =>
      prepared(async ({ send }, store) => {
        await send(aPush({ forced: true }));
        await configure(store.ledger, TEXT.replaceAll('branch: main', 'branch: other'));
        expect(await settled(store)).to.deep.equal([]);
        const [delivery] = await store.deliveries();
        expect([delivery?.verdict, delivery?.reason?.code]).to.deep.equal(['ignored', 'no_target']);
        const bare = { id: 'w_9', deliveryId: 'x', verdict: 'pending', body: null, reason: null } as const;
        await store.ledger.claimDelivery(newDelivery(bare));
        await settled(store);
        const last = (await store.deliveries()).at(-1);
        expect([last?.verdict, last?.reason?.code]).to.deep.equal(['ignored', 'unparseable']);
      }, ONLY_PART));

    it('told late and of no certain time is superseded when the repository has its commit before the newer', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        await send(aPush({ commit: C, before: B, modified: ['shop/a'], pushedAt }));
        const late = await send(aPush({ commit: B, before: A, modified: ['shop/a'], pushedAt }));
        expect(late.body).to.include({ status: 'pending' });
        expect((await store.deliveries())[1]?.reason).to.deep.include({
          code: 'order_unknown',
          message: 'an agent is being asked about shop part (whether something newer is deployed)',
        });
        expect(await settled(store)).to.deep.equal(['b in c?', 'a in b?']);
        expect(await outcome(store)).to.deep.equal(['part c queued', 'part b superseded']);
        const [newer, older] = await store.deployments();
        expect(older?.reason?.facts).to.deep.include({ by: newer?.id });
        expect((await store.deliveries())[1]).to.include({ verdict: 'deployed', reason: null });
      }, ONLY_PART));

    it('is the newer one when it is not in the history of the other, or rewrote it', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        const push = (of: string, before: string) =>
          send(aPush({ commit: of, before, modified: ['shop/a'], pushedAt }));
        await push(A, commit('9'));
        await push(C, B);
        expect(await settled(store)).to.deep.equal(['c in a?']);
        // Not said to be forced, but its beginning is not in its own history: as after a push that took C back.
        await push(B, C);
        expect(await settled(store)).to.deep.equal([]);
        await push(A, C);
        expect(await settled(store)).to.deep.equal(['a in b?', 'c in a?']);
        expect(await outcome(store)).to.deep.equal([
          'part a superseded',
          'part c superseded',
          'part b superseded',
          'part a queued',
        ]);
      }, ONLY_PART));

    it('counts as it was received when nobody knows the order, and says so', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        await send(aPush({ commit: C, before: B, modified: ['shop/a'], pushedAt }));
        await send(aPush({ commit: commit('e'), before: A, modified: ['shop/a'], pushedAt }));
        await settled(store);
        expect((await store.deliveries())[1]?.reason?.message).to.match(
          /^shop part: whether this push is newer than d_\d+ is not known \(the commit is gone\)/,
        );
        await send(aPush({ commit: A, before: B, modified: ['shop/a'], pushedAt }));
        await settled(store, () => ({ $case: 'resolved', value: { commit: A } }));
        expect((await store.deliveries())[2]?.reason?.message).to.include(
          '(an agent answered something else)',
        );
        expect(await outcome(store)).to.deep.equal([
          'part c superseded',
          'part e superseded',
          'part a queued',
        ]);
      }, ONLY_PART));

    it('that waited is older than what was received meanwhile', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        await send(aPush({ forced: true, commit: B, before: A, pushedAt }));
        await until('time to pass', () => Promise.resolve(Date.now() > pushedAt.getTime() + 20), {
          everyMs: 5,
        });
        await send(
          signedTag({
            ...{ repository: REPOSITORY, secret: SECRET, commit: C, before: A },
            tag: 'v1',
            pushedAt,
          }),
        );
        await settled(store);
        expect(await outcome(store)).to.deep.equal(['part c queued', 'part b superseded']);
      }, ONLY_PART));

    const WHOLE_LATER = TEXT.replace(/ {6}part.*\n/, '');
    const replayed = (store: Store, id: string): Promise<string> =>
      replayDelivery({ edges: impatientEdges(store.ledger), readConfiguration: configurationReader() }, id, {
        name: 'ana',
        role: 'deployer',
      });

    it('leaves out, when it was replayed, what another row of it has deployed, and says so', () =>
      prepared(async ({ send }, store) => {
        const { body } = await send(aPush({ forced: true }));
        expect(await outcome(store)).to.deep.equal(['whole b queued']);
        await configure(store.ledger, TEXT);
        const ids = [1, 2].map(() => replayed(store, body['webhook_id'] as string));
        for (const id of await Promise.all(ids))
          expect((await store.ledger.holdDelivery(id))?.verdict).to.equal('pending');
        await settled(store);
        expect(await outcome(store)).to.deep.equal(['whole b queued', 'part b queued']);
        const [, ...replays] = await store.deliveries();
        expect(replays.map(({ verdict }) => verdict)).to.have.members(['deployed', 'duplicate']);
        for (const { reason: why } of replays) {
          expect(why?.code).to.equal('duplicate_delivery');
          expect(why?.message).to.match(/shop whole was left out: d_/);
        }
      }, WHOLE_LATER));

    it('counts, when it was replayed, as received when the delivery was that it is of', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        const ignored = { branch: 'topic', forced: true, pushedAt };
        const old = await send(aPush({ ...ignored, commit: B, before: A }));
        await until('time to pass', () => Promise.resolve(Date.now() > pushedAt.getTime() + 20), {
          everyMs: 5,
        });
        await send(
          signedTag({
            ...{ repository: REPOSITORY, secret: SECRET, commit: C, before: A, pushedAt },
            tag: 'v1',
          }),
        );
        await configure(store.ledger, ONLY_PART.replace('branch: main', 'branch: topic'));
        const first = await replayed(store, old.body['webhook_id'] as string);
        expect((await store.ledger.holdDelivery(first))?.verdict).to.equal('pending');
        await settled(store);
        expect(await outcome(store)).to.deep.equal(['part c queued', 'part b superseded']);
      }, ONLY_PART));

    it('is in one hand at a time, and comes back when whoever had it is gone', () =>
      prepared(async ({ send }, store) => {
        await send(aPush({ forced: true }));
        const [mine, theirs] = [await store.ledger.takePending(30), await store.ledger.takePending(30)];
        expect([mine?.verdict, theirs]).to.deep.equal(['pending', null]);
        expect(await settled(store)).to.deep.equal(['a..b?']);
      }, ONLY_PART));

    it('is deployed once, however many ask about it', () =>
      prepared(async ({ send }, store) => {
        for (let at = 0; at < 6; at += 1) await send(aPush({ forced: true, deliveryId: `d-${at}` }));
        const others = [1, 2].map(() =>
          startSettling(impatientEdges(store.ledger), { onError: () => undefined, pollMs: 5 }),
        );
        try {
          await settled(store);
        } finally {
          await Promise.all(others.map((one) => one.stop()));
        }
        const deployments = await store.deployments();
        expect(new Set(deployments.map((one) => one.webhookId)).size).to.equal(6);
        expect(deployments.filter((one) => one.status === 'queued')).to.have.length(1);
      }, ONLY_PART));
  });
}

describe('settling a delivery', () => {
  it('that no agent can answer now waits, and is deployed all the same after a minute', async () => {
    const store = await memoryStore();
    let ahead = 0;
    const ledger = { ...store.ledger, now: () => Promise.resolve(new Date(Date.now() + ahead)) };
    await configure(ledger, ONLY_PART);
    const postponed: number[] = [];
    const edges = {
      ...impatientEdges(ledger),
      ledger: {
        ...ledger,
        postponePending: (id: string, ms: number) => {
          postponed.push(ms);
          return ledger.postponePending(id, 5);
        },
      },
    };
    await withHttp(ledger, async ({ send }) => {
      await send(aPush({ forced: true }));
      const settling = startSettling(edges, { onError: () => undefined, pollMs: 1 });
      await until('it to be given back', () => Promise.resolve(postponed.length > 1), { everyMs: 1 });
      expect([await store.deployments(), postponed[0]]).to.deep.equal([[], 5_000]);
      ahead = 61_000;
      await until('it to be deployed', async () => (await store.deployments()).length === 1, { everyMs: 1 });
      await settling.stop();
      const [delivery] = await store.deliveries();
      expect(delivery?.verdict).to.equal('deployed');
      expect(delivery?.reason?.message).to.match(
        /the push was forced; web-1 is named in shop part but has never/,
      );
    });
    await store.close();
  });

  it('begins at its wake-up, long before the next poll', async () => {
    const store = await memoryStore();
    await configure(store.ledger, ONLY_PART);
    let tell: (topic: WakeTopic) => void = () => undefined;
    const edges = impatientEdges(store.ledger);
    const settling = startSettling(
      {
        ...edges,
        after: () => () => undefined,
        waking: { subscribe: (listener) => ((tell = listener), () => undefined) },
      },
      { onError: () => undefined },
    );
    await withHttp(store.ledger, async ({ send }) => {
      const { body } = await send(aPush({ before: '0'.repeat(40) }));
      expect(body).to.include({ status: 'pending' });
      tell({ about: 'host', name: 'web-1' });
      tell({ about: 'delivery', id: body['webhook_id'] as string });
      await until('it to be deployed', async () => (await store.deployments()).length === 1);
    });
    await settling.stop();
    await store.close();
  });

  it('does nothing to one that was settled meanwhile, and reports what breaks while it is read', async () => {
    const store = await memoryStore();
    await configure(store.ledger, ONLY_PART);
    await withHttp(store.ledger, async ({ send }) => {
      await send(aPush({ forced: true }));
      const delivery = (await store.ledger.takePending(1))!;
      const edges = impatientEdges(store.ledger);
      const odd = { ...delivery, headers: null as unknown as typeof delivery.headers };
      const ledger: typeof edges.ledger = {
        ...edges.ledger,
        transaction: (act) =>
          edges.ledger.transaction((tx) => act({ ...tx, holdDelivery: () => Promise.resolve(odd) })),
      };
      const readConfiguration = configurationReader();
      const broken = settleDelivery({ edges: { ...edges, ledger }, readConfiguration }, delivery);
      expect(await broken.catch((error: unknown) => error)).to.be.instanceOf(TypeError);
      await store.ledger.moveDelivery(delivery.id, 'pending', 'ignored', null);
      await settleDelivery({ edges, readConfiguration }, delivery);
      expect((await store.deliveries())[0]?.verdict).to.equal('ignored');
    });
    await store.close();
  });

  it('asks another host when one refuses, and reports what breaks', async () => {
    const store = await memoryStore();
    await configure(store.ledger, ONLY_PART.replace('[web-1]', '[web-1, web-2]'));
    await connected(store.ledger, 'web-1');
    await connected(store.ledger, 'web-2');
    const refusal = { $case: 'refused', value: reason('policy_refused', 'no') } as const;
    await withHttp(store.ledger, async ({ send }) => {
      await send(aPush({ forced: true }));
      const errors: (string | null)[] = [];
      let broken = true;
      const edges = impatientEdges(store.ledger);
      const breaking: typeof edges = {
        ...edges,
        ledger: {
          ...edges.ledger,
          takePending: (ms) => {
            if (errors.length === 0) return Promise.reject(new Error('the database is away'));
            return edges.ledger.takePending(broken ? 50 : ms);
          },
          transaction: (work) => {
            if (!broken) return edges.ledger.transaction(work);
            broken = false;
            return Promise.reject(new Error('bug'));
          },
        },
      };
      const onError = (_: unknown, delivery: string | null) => errors.push(delivery);
      const settling = startSettling(breaking, { onError, pollMs: 1 });
      const asked = await whileAnswering(
        store.ledger,
        HISTORY,
        async () => {
          await whileAnswering(
            store.ledger,
            () => refusal,
            async () => {
              await until('it to be deployed', async () => (await store.deployments()).length === 1);
            },
          );
        },
        'web-2',
      );
      await settling.stop();
      await settling.stop();
      expect(errors).to.deep.equal([null, 'w_0001']);
      expect(asked).to.deep.equal(['a..b?']);
    });
    await store.close();
  });
});
