import { expect } from 'chai';
import type { DeliveryRow } from '../../../controller/deployments/ledger/delivery.js';
import { configurationReader } from '../../../controller/webhooks/current-configuration.js';
import { lookForMissedPushes, type Watcher } from '../../../controller/webhooks/look-for-missed-pushes.js';
import { startSettling } from '../../../controller/webhooks/settle-pending.js';
import { startWatching } from '../../../controller/webhooks/watch-branches.js';
import { signedPush } from '../../support/github.js';
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

const environment = (name: string, settings: string) =>
  `      ${name}: { ${settings}, hosts: [web-1], app_path: /srv/${name}, systemd_service: ${name}.service }\n`;
const configuration = (...environments: string[]) => `
git: { github: { webhook_secret: "${SECRET}", missed_push_check: 10s } }
fraises:
  shop:
    type: api
    repository: ${REPOSITORY}
    environments:
${environments.join('')}
branch_mapping: { main: [{ fraise: shop, environment: live }] }
`;
const DEPLOYS = configuration(environment('live', 'missed_push: deploy'));
const RECORDS = configuration(environment('live', 'branch: main'));

const STORES: readonly (readonly [name: string, open: () => Promise<Store>])[] = [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
];

const [A, B] = ['a', 'b'].map(commit) as [string, string];

for (const [name, open] of STORES) {
  describe(`a push that no delivery told, on ${name},`, function () {
    this.timeout(60_000);

    async function prepared(
      text: string,
      work: (sender: Sender, store: Store) => Promise<void>,
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

    /** Looks as often as asked, each time as if it were time again; `head` is where every branch is. */
    async function look(store: Store, head: string, times = 1): Promise<readonly string[]> {
      const edges = impatientEdges(store.ledger);
      const takeBranchCheck: typeof edges.ledger.takeBranchCheck = (of) =>
        edges.ledger.takeBranchCheck(of, 0);
      const errors: unknown[] = [];
      const watcher: Watcher = {
        edges: { ...edges, ledger: { ...edges.ledger, takeBranchCheck } },
        readConfiguration: configurationReader(),
        random: () => 0.5,
        onError: (error) => errors.push(error),
        onMissed: () => undefined,
      };
      const answers = fromHistory([A, B], { [B]: ['shop/a'] });
      const asked = await whileAnswering(
        store.ledger,
        (question) =>
          question.$case === 'resolveRef'
            ? { $case: 'resolved', value: { commit: head } }
            : answers(question),
        async () => {
          for (let at = 0; at < times; at += 1) await lookForMissedPushes(watcher, () => false);
        },
      );
      expect(errors).to.deep.equal([]);
      return asked;
    }

    const push = (of: string, before = '0'.repeat(40)) =>
      signedPush({ repository: REPOSITORY, branch: 'main', commit: of, before, secret: SECRET });

    it('is recorded once it was there at two looks, once', () =>
      prepared(RECORDS, async (_, store) => {
        expect(await look(store, A)).to.deep.equal(['main?']);
        expect(await store.deliveries()).to.deep.equal([]);
        await look(store, A, 3);
        const [delivery, ...others] = await store.deliveries();
        expect(others).to.deep.equal([]);
        expect(delivery).to.deep.include({
          ...{ provider: 'github', event: 'missed_push', repository: REPOSITORY, branch: 'main', commit: A },
          ...{ verdict: 'ignored', claimed: true },
        });
        expect(delivery?.deliveryId).to.match(/^missed:[0-9a-f]{64}$/);
        expect(delivery?.reason).to.deep.include({
          code: 'missed_push',
          message: 'branch main was pushed to (aaaaaaaaaaaa) and no webhook told it',
          hint: `fraisier deploy shop live --commit ${A}`,
        });
        expect(await store.deployments()).to.deep.equal([]);
        expect((await store.audit()).at(-1)).to.include({ action: 'missed_push_recorded' });
      }));

    it('is deployed where the configuration says so; the delivery that comes after all is a duplicate', () =>
      prepared(DEPLOYS, async ({ send }, store) => {
        await look(store, A, 2);
        const [deployment] = await store.deployments();
        expect(deployment).to.include({ trigger: 'missed_push', commit: A, ref: 'main', status: 'queued' });
        const late = await send(push(A));
        expect(late.body).to.deep.include({ status: 'duplicate', deployments: [deployment?.id] });
        expect((await store.deliveries())[1]?.reason?.message).to.match(
          /^tells the push that was recorded as missed: w_\S+, which was deployed$/,
        );
        expect((await send(push(B, A))).body).to.include({ status: 'accepted' });
        expect((await store.deployments()).map((one) => one.status)).to.deep.equal(['superseded', 'queued']);
      }));

    it('that was only recorded is deployed by the delivery that comes after all', () =>
      prepared(RECORDS, async ({ send }, store) => {
        await look(store, A, 2);
        expect((await send(push(A))).body).to.include({ status: 'accepted' });
        expect(await store.deployments()).to.have.length(1);
      }));

    it('is none when a delivery told it, or when it was deployed by hand', () =>
      prepared(DEPLOYS, async ({ send }, store) => {
        await send(push(A));
        expect(await look(store, A, 3)).to.have.length(3);
        expect(await store.deliveries()).to.have.length(1);
        const { ledger } = store;
        await ledger.insertDeployment({
          ...(await store.deployments())[0]!,
          ...{ id: 'd_hand', commit: B, trigger: 'cli', webhookId: null },
        });
        await look(store, B, 3);
        expect(await store.deliveries()).to.have.length(1);
        await ledger.moveDeployment('d_hand', 'queued', 'failed', { finished: true });
        await look(store, B, 3);
        expect(await store.deliveries()).to.have.length(2);
      }));

    it('asks what changed in the paths before it is deployed', () =>
      prepared(
        configuration(
          environment('live', 'missed_push: deploy, paths: ["shop/**"]'),
          environment('other', 'branch: main'),
          environment('any', 'branch: "release/*", missed_push: deploy'),
        ),
        async ({ send }, store) => {
          await send(push(A));
          const settling = () =>
            whileAnswering(store.ledger, fromHistory([A, B], { [B]: ['shop/a'] }), async () => {
              const edges = impatientEdges(store.ledger);
              const one = startSettling(edges, { onError: () => undefined, pollMs: 5 });
              const isDone = async () =>
                (await store.deliveries()).every(({ verdict }) => verdict !== 'pending');
              try {
                await until('none to be pending', isDone);
              } finally {
                await one.stop();
              }
            });
          await settling();
          await look(store, B, 2);
          expect((await store.deliveries())[1]).to.include({ event: 'missed_push', verdict: 'pending' });
          expect(await settling()).to.deep.equal(['a..b?']);
          const missed = (await store.deployments()).filter((one) => one.trigger === 'missed_push');
          expect(missed.map((one) => `${one.environment} ${one.commit.charAt(0)}`)).to.deep.equal(['live b']);
          expect((await store.deliveries())[1]?.verdict).to.equal('deployed');
        },
      ));

    it('that is marked to be left out, or of a branch that nobody deploys any more, is recorded with both reasons', () =>
      prepared(RECORDS, async (_, store) => {
        const { recordMissedPush } = await import('../../../controller/webhooks/record-missed-push.js');
        const current = await configurationReader()(store.ledger);
        const [live] = Object.values(current!.configuration.fraises['shop']!.environments);
        const watched = {
          ...{ repository: REPOSITORY, branch: 'gone', environments: [live!] as const, everyMs: 1 },
        };
        const edges = impatientEdges(store.ledger);
        const recorded = await recordMissedPush(edges, current!, watched, A);
        expect(recorded?.reason?.message).to.match(/no webhook told it; no environment deploys branch gone/);
        expect(await recordMissedPush(edges, current!, watched, A)).to.equal(null);
        const blind: typeof edges.ledger = {
          ...edges.ledger,
          transaction: (act) =>
            edges.ledger.transaction((tx) => act({ ...tx, wasDelivered: () => Promise.resolve(false) })),
        };
        expect(await recordMissedPush({ ...edges, ledger: blind }, current!, watched, A)).to.equal(null);
      }));
  });
}

describe('looking for missed pushes', () => {
  const watcherOn = (store: Store, more: Partial<Watcher> = {}): Watcher => ({
    edges: impatientEdges(store.ledger),
    readConfiguration: configurationReader(),
    random: () => 0,
    onError: () => undefined,
    onMissed: () => undefined,
    ...more,
  });

  it('goes on by itself until it is stopped, and reports what goes wrong', async () => {
    const store = await memoryStore();
    const errors: string[] = [];
    const missed: DeliveryRow[] = [];
    const edges = impatientEdges(store.ledger);
    const watching = startWatching(
      watcherOn(store, {
        edges: {
          ...edges,
          ledger: {
            ...edges.ledger,
            takeBranchCheck: (of) => edges.ledger.takeBranchCheck(of, 0),
            currentConfiguration: () =>
              errors.length === 0 ? Promise.reject(new Error('away')) : edges.ledger.currentConfiguration(),
          },
        },
        onError: (error, branch) => errors.push(`${branch}: ${(error as Error).message}`),
        onMissed: (one) => missed.push(one),
      }),
      1,
    );
    await until('the first error', () => Promise.resolve(errors.length > 0), { everyMs: 1 });
    await configure(store.ledger, DEPLOYS);
    await until('the next', () => Promise.resolve(errors.length > 1), { everyMs: 1 });
    await connected(store.ledger);
    const seen = async () => {
      await until('it to be missed', () => Promise.resolve(missed.length > 0), { everyMs: 1 });
      await watching.stop();
    };
    const strange = { $case: 'ancestry', value: { isAncestor: true } } as const;
    let first = true;
    await whileAnswering(
      store.ledger,
      () => {
        if (!first) return { $case: 'resolved', value: { commit: A } };
        first = false;
        return strange;
      },
      seen,
    );
    expect(errors[0]).to.equal(': away');
    expect(errors[1]).to.match(/^main: web-1 is named in shop live but has never enrolled/);
    expect(errors).to.include('main: an agent answered something else than a commit');
    expect(missed.map((one) => one.commit)).to.deep.equal([A]);
    await store.close();
  });

  it('is for one controller at a time, and not before its time; nothing is asked without need', async () => {
    const store = await memoryStore();
    await lookForMissedPushes(watcherOn(store), () => false);
    await configure(store.ledger, DEPLOYS);
    await connected(store.ledger);
    const errors: unknown[] = [];
    const watcher = watcherOn(store, { onError: (error) => errors.push(error) });
    const asked = await whileAnswering(
      store.ledger,
      () => ({ $case: 'resolved', value: { commit: A } }),
      async () => {
        await lookForMissedPushes(watcher, () => true);
        await Promise.all([1, 2, 3].map(() => lookForMissedPushes(watcher, () => false)));
        await lookForMissedPushes(watcher, () => false);
      },
    );
    expect(asked).to.deep.equal(['main?']);
    expect(errors).to.deep.equal([]);
    await store.close();
  });

  it('can be stopped before it has begun, and asks nothing of fraises without a repository', async () => {
    const store = await memoryStore();
    await configure(store.ledger, DEPLOYS.replace(/ +repository.*\n/, ''));
    const errors: unknown[] = [];
    await startWatching(watcherOn(store, { onError: (error) => errors.push(error) })).stop();
    await lookForMissedPushes(watcherOn(store, { onError: (error) => errors.push(error) }), () => false);
    expect(errors).to.deep.equal([]);
    await store.close();
  });

  it('reports what breaks while an agent is asked', async () => {
    const store = await memoryStore();
    await configure(store.ledger, DEPLOYS);
    await connected(store.ledger);
    const edges = impatientEdges(store.ledger);
    const transaction = () => Promise.reject(new Error('bug'));
    const errors: string[] = [];
    const onError = (error: unknown) => errors.push((error as Error).message);
    const broken = { ...edges, ledger: { ...edges.ledger, transaction } };
    await lookForMissedPushes(watcherOn(store, { edges: broken, onError }), () => false);
    expect(errors).to.deep.equal(['bug']);
    await store.close();
  });

  it('says that no agent is connected', async () => {
    const store = await memoryStore();
    await configure(store.ledger, DEPLOYS);
    await store.ledger.enrolAgent({
      ...{ name: 'web-1', labels: {}, certificateSerial: '1', certificateExpiresAt: new Date() },
    });
    const errors: string[] = [];
    await lookForMissedPushes(
      watcherOn(store, { onError: (error) => errors.push((error as Error).message) }),
      () => false,
    );
    expect(errors).to.deep.equal(['no agent of web-1 is connected']);
    await store.close();
  });
});
