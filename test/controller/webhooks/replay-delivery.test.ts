import { expect } from 'chai';
import { FraisierError, reason } from '../../../proto/error-codes.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { DeliveryRow } from '../../../controller/deployments/ledger/delivery.js';
import { configurationReader } from '../../../controller/webhooks/current-configuration.js';
import { replayDelivery } from '../../../controller/webhooks/replay-delivery.js';
import { signedDelivery } from '../../support/github.js';
import {
  aPush,
  commit,
  CONFIGURATION,
  configure,
  edgesOn,
  memoryStore,
  OLD_SECRET,
  postgresStore,
  SECRET,
  withHttp,
  type RawDelivery,
  type Store,
} from './support.js';

const ANA = { name: 'ana', role: 'deployer' } as const;
/** As before, and `develop` goes to one more environment. */
const TWO_FOR_DEVELOP = `${CONFIGURATION}  develop: [{ fraise: shop, environment: production }]\n`;
/** A fraise whose own secret signs for it, and the git host's. */
const OWN_SECRET = 'the-own-secret-of-this-one-fraise';
const WITH_OWN = CONFIGURATION.replace(
  '    type: api\n',
  `    type: api\n    webhook_secret: "${OWN_SECRET}"\n`,
);

async function replay(ledger: Ledger, id: string): Promise<string> {
  const edges = { ...edgesOn(ledger), newId: fresh };
  return replayDelivery({ edges, readConfiguration: configurationReader() }, id, ANA);
}

let made = 0;
function fresh(prefix: string): string {
  return `${prefix}_again${(made += 1)}`;
}

async function refusedWith(
  work: Promise<unknown>,
): Promise<{ code: string; why: string | undefined; message: string }> {
  const error: unknown = await work.then(
    () => null,
    (failure: unknown) => failure,
  );
  expect(error).to.be.instanceOf(FraisierError);
  const { code, facts, message } = (error as FraisierError).reason;
  return { code, why: facts['why'], message };
}

for (const [name, open] of [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
] as const) {
  describe(`replaying a delivery (${name})`, function () {
    this.timeout(20_000);

    let store: Store;

    beforeEach(async () => {
      store = await open();
      await configure(store.ledger);
    });
    afterEach(async () => await store.close());

    async function delivered(delivery: RawDelivery): Promise<Omit<DeliveryRow, 'deployments'>> {
      const edges = { ...edgesOn(store.ledger), newId: fresh };
      await withHttp(store.ledger, async ({ send }) => void (await send(delivery)), { edges });
      return (await store.deliveries()).at(-1) as DeliveryRow;
    }

    async function row(id: string): Promise<DeliveryRow> {
      return (await store.ledger.holdDelivery(id)) as DeliveryRow;
    }

    it('that was ignored deploys it when the configuration wants it now, and a redelivery repeats the replay', async () => {
      const push = aPush({ branch: 'topic' });
      const old = await delivered(push);
      expect(old.verdict).to.equal('ignored');
      await configure(store.ledger, `${CONFIGURATION}  topic: [{ fraise: shop, environment: staging }]\n`);
      const id = await replay(store.ledger, old.id);
      const [deployment] = await store.deployments();
      expect(await row(id)).to.deep.include({
        verdict: 'deployed',
        reason: null,
        originalId: old.id,
        replayedBy: 'ana',
        claimed: true,
        deliveryId: old.deliveryId,
        body: old.body,
        headers: old.headers,
        fraises: ['shop'],
        deployments: [deployment?.id],
      });
      expect(deployment).to.include({ environment: 'staging', commit: commit('c'), webhookId: id });
      expect((await row(old.id)).claimed).to.equal(false);
      expect(await delivered(push)).to.include({ verdict: 'duplicate', originalId: id });
      expect(
        (await store.audit()).map((entry) => [entry.actor, entry.action, entry.subject]),
      ).to.deep.include(['ana', 'webhook_replayed', id]);
    });

    it('that deployed already deploys nothing twice, and says what did and how to go on', async () => {
      const old = await delivered(aPush());
      const [first] = await store.deployments();
      const id = await replay(store.ledger, old.id);
      const again = await row(id);
      expect(again).to.deep.include({
        verdict: 'duplicate',
        deployments: [],
        originalId: old.id,
        claimed: false,
      });
      expect(again.reason).to.deep.include({
        code: 'duplicate_delivery',
        hint: `fraisier deploy shop staging --commit ${commit('c')}`,
      });
      expect(again.reason?.message).to.include(String(first?.id)).and.include('queued');
      expect(await store.deployments()).to.have.lengthOf(1);
      expect((await row(old.id)).claimed).to.equal(true);
    });

    it('deploys what was not deployed yet, says what was left out, and once more deploys nothing', async () => {
      const old = await delivered(aPush());
      await configure(store.ledger, TWO_FOR_DEVELOP);
      const id = await replay(store.ledger, old.id);
      expect((await store.deployments()).map((one) => one.environment)).to.deep.equal([
        'staging',
        'production',
      ]);
      const second = await row(id);
      expect(second.verdict).to.equal('deployed');
      expect(second.reason?.message).to.match(/^shop staging was left out/);
      expect((await row(await replay(store.ledger, id))).verdict).to.equal('duplicate');
      expect(await store.deployments()).to.have.lengthOf(2);
    });

    it('twice at the same moment deploys once', async () => {
      const old = await delivered(aPush());
      await configure(store.ledger, TWO_FOR_DEVELOP);
      await Promise.all([1, 2, 3, 4].map(() => replay(store.ledger, old.id)));
      expect(await store.deployments()).to.have.lengthOf(2);
      expect((await store.deliveries()).map((one) => one.verdict).sort()).to.deep.equal([
        ...['deployed', 'deployed', 'duplicate', 'duplicate', 'duplicate'],
      ]);
    });

    it('keeps its place among other pushes: what was pushed later is not undone by it', async () => {
      const old = await delivered(aPush({ branch: 'topic', pushedAt: new Date('2026-05-01T12:00:00Z') }));
      await configure(store.ledger, `${CONFIGURATION}  topic: [{ fraise: shop, environment: staging }]\n`);
      const newer = await delivered(
        aPush({ commit: commit('d'), pushedAt: new Date('2026-05-01T12:05:00Z') }),
      );
      await replay(store.ledger, old.id);
      const [live, late] = await store.deployments();
      expect(live).to.include({ webhookId: newer.id, status: 'queued' });
      expect(late).to.include({ commit: commit('c'), status: 'superseded' });
    });

    it('that is ignored still is ignored again, for the reason of now', async () => {
      const old = await delivered(aPush({ branch: 'topic' }));
      const id = await replay(store.ledger, old.id);
      expect(await row(id)).to.deep.include({ verdict: 'ignored', reason: old.reason, claimed: false });
      expect((await row(old.id)).claimed).to.equal(true);
      const ping = await delivered(signedDelivery({ event: 'ping', payload: {}, secret: SECRET }));
      expect(await row(await replay(store.ledger, ping.id))).to.include({ verdict: 'pong', reason: null });
    });

    it('needs no secret that was rotated away since, but that of a fraise must still be configured', async () => {
      const hosts = await delivered(aPush({ secret: OLD_SECRET }));
      await configure(store.ledger, WITH_OWN);
      const own = await delivered(aPush({ secret: OWN_SECRET, commit: commit('e') }));
      await configure(store.ledger, TWO_FOR_DEVELOP.replace(`, "${OLD_SECRET}"`, ''));
      expect((await row(await replay(store.ledger, hosts.id))).verdict).to.equal('deployed');
      expect(await refusedWith(replay(store.ledger, own.id))).to.include({
        code: 'not_replayable',
        why: 'secret_gone',
      });
      await configure(store.ledger, WITH_OWN.replace(OWN_SECRET, 'another-own-secret-of-the-fraise'));
      expect((await row(await replay(store.ledger, own.id))).verdict).to.equal('duplicate');
    });

    it('that was never verified, whose body is gone or that still waits is refused, and nothing is stored', async () => {
      const forged = await delivered(aPush({ secret: 'not the one' }));
      const whole = await row((await delivered(aPush())).id);
      const gone = await store.ledger.insertDelivery({ ...whole, id: 'w_gone', body: null });
      const why = reason('paths_unknown', 'an agent is being asked');
      const waits = await store.ledger.insertDelivery({
        ...whole,
        id: 'w_waits',
        verdict: 'pending',
        reason: why,
      });
      const alien = await store.ledger.insertDelivery({ ...whole, id: 'w_alien', provider: 'sourceforge' });
      const before = (await store.deliveries()).length;
      for (const [{ id }, because] of [
        [forged, 'never_verified'],
        [gone, 'body_gone'],
        [waits, 'pending'],
        [alien, 'never_verified'],
      ] as const) {
        const { code, why: said, message } = await refusedWith(replay(store.ledger, id));
        expect([code, said]).to.deep.equal(['not_replayable', because]);
        expect(message).to.include(id);
      }
      expect((await refusedWith(replay(store.ledger, 'w_x'))).code).to.equal('unknown_webhook');
      expect(await store.deliveries()).to.have.lengthOf(before);
    });
  });
}

describe('replaying a delivery', () => {
  it('without any configuration is refused', async () => {
    const { ledger } = await memoryStore();
    const { headers, body } = aPush();
    await ledger.insertDelivery({
      ...{
        id: 'w_1',
        provider: 'github',
        deliveryId: 'x',
        event: 'push',
        repository: '',
        branch: '',
        tag: '',
      },
      ...{ commit: '', sender: '', verdict: 'ignored', reason: null, originalId: null },
      headers,
      body,
      matchedSecret: 'git.github.webhook_secret',
    });
    expect((await refusedWith(replay(ledger, 'w_1'))).code).to.equal('no_configuration');
  });
});
