import { expect } from 'chai';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { HeldQueue, NewDeployment, Pair } from '../../../controller/deployments/ledger/deployment.js';
import { FraisierError, reason } from '../../../proto/error-codes.js';
import { Rollback } from '../../../proto/gen/fraisier/v1/plan.js';
import { until } from '../../support/until.js';
import { newDelivery, newDeployment } from './samples.js';

const PRODUCTION: Pair = { fraise: 'checkout', environment: 'production' };
const STAGING: Pair = { fraise: 'checkout', environment: 'staging' };

/** What every implementation of the port promises of many deliveries and deployments at once. */
export function queueContract(ledgerNow: () => Ledger): void {
  const held = (pairs: readonly Pair[]): Promise<readonly HeldQueue[]> =>
    ledgerNow().transaction((tx) => tx.holdQueues(pairs));
  const shown = ({ unfinished, live }: HeldQueue) => ({
    unfinished: unfinished.map(({ deployment }) => deployment.id),
    live: live?.deployment.id ?? null,
  });

  describe('deliveries at the same time', () => {
    it('are claimed in one go, each id once, all of the same moment', async () => {
      const ledger = ledgerNow();
      await ledger.claimDelivery(newDelivery({ deliveryId: 'known' }));
      const wanted = ['z', 'known', 'a', 'z'].map((deliveryId) => newDelivery({ deliveryId }));
      const [z, known, a, again] = await ledger.claimDeliveries(wanted);
      expect(z).to.deep.include({ ...wanted[0], claimed: true, deployments: [] });
      expect([known, again]).to.deep.equal([null, null]);
      expect(a?.id).to.equal(wanted[2]?.id);
      expect(a?.receivedAt).to.deep.equal(z?.receivedAt);
      const stored = await ledger.holdClaimed('github', 'a');
      expect(stored).to.deep.equal(a);
      expect(await ledger.claimDeliveries([])).to.deep.equal([]);
    });

    it('keep each its own body, and none where there is none', async () => {
      const ledger = ledgerNow();
      const bodies = [new Uint8Array([0, 255]), null, new Uint8Array()];
      const rows = bodies.map((body, index) => newDelivery({ deliveryId: String(9 - index), body }));
      await ledger.claimDeliveries(rows);
      const kept = await Promise.all(rows.map(async ({ id }) => (await ledger.holdDelivery(id))?.body));
      expect(kept).to.deep.equal(bodies);
    });
  });

  describe('the queues of environments', () => {
    it('are what has not ended, oldest first, and what is live', async () => {
      const ledger = ledgerNow();
      const live = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(live.id, 'queued', 'running', { started: true });
      await ledger.moveDeployment(live.id, 'running', 'succeeded', { finished: true });
      const running = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(running.id, 'queued', 'running');
      const queued = await ledger.insertDeployment(newDeployment());
      await ledger.insertDeployment(newDeployment({ environment: 'other' }));
      const [production, staging] = await held([PRODUCTION, STAGING]);
      expect(production).to.deep.include(PRODUCTION);
      expect(shown(production as HeldQueue)).to.deep.equal({
        unfinished: [running.id, queued.id],
        live: live.id,
      });
      expect(staging).to.deep.equal({ ...STAGING, unfinished: [], live: null });
      expect(production?.unfinished.map(({ receivedAt }) => receivedAt)).to.deep.equal([null, null]);
    });

    it('say when the delivery was received that started each: of a replay, the first one', async () => {
      const ledger = ledgerNow();
      const first = await ledger.insertDelivery(newDelivery());
      await until('the clock to go on', async () => (await ledger.now()) > first.receivedAt);
      const replay = newDelivery({ originalId: first.id, replayedBy: 'ana' });
      await ledger.insertDelivery(replay);
      const ofReplay = await ledger.insertDelivery(newDelivery({ originalId: replay.id, replayedBy: 'ana' }));
      const repeat = await ledger.insertDelivery(newDelivery({ originalId: first.id }));
      const orphan = await ledger.insertDelivery(newDelivery({ originalId: 'w_gone', replayedBy: 'ana' }));
      for (const { id } of [first, ofReplay, repeat, orphan])
        await ledger.insertDeployment(newDeployment({ webhookId: id }));
      const [queue] = await held([PRODUCTION]);
      const expected = [first.receivedAt, first.receivedAt, repeat.receivedAt, orphan.receivedAt];
      expect(queue?.unfinished.map(({ receivedAt }) => receivedAt)).to.deep.equal(expected);
      expect(repeat.receivedAt > first.receivedAt).to.equal(true);
      expect(await ledger.receivedAt(ofReplay.id)).to.deep.equal(first.receivedAt);
    });

    it('are one’s at a time, also when several are held in another order', async () => {
      const ledger = ledgerNow();
      const join = (pairs: readonly Pair[]): Promise<void> =>
        ledger.transaction(async (tx) => {
          const queues = await tx.holdQueues(pairs);
          for (const { unfinished, fraise, environment } of queues) {
            if (unfinished.length === 0) await tx.writeQueues([newDeployment({ fraise, environment })], []);
          }
        });
      const orders = [
        [PRODUCTION, STAGING],
        [STAGING, PRODUCTION],
      ];
      await Promise.all(Array.from({ length: 8 }, (_, n) => join(orders[n % 2] as Pair[])));
      const queues = await held([PRODUCTION, STAGING]);
      expect(queues.map(({ unfinished }) => unfinished.length)).to.deep.equal([1, 1]);
    });
  });

  describe('many deployments', () => {
    it('are inserted whole, in their order', async () => {
      const ledger = ledgerNow();
      const delivery = await ledger.insertDelivery(newDelivery());
      const wanted: readonly NewDeployment[] = [
        newDeployment({ webhookId: delivery.id, pushedAt: new Date('2026-05-01T12:00:00.123Z') }),
        newDeployment({
          ...{ kind: 'rollback', onlyHosts: ['web-1', 'b "c"'], force: true, requestId: 'q1', ref: "it's" },
          rollback: Rollback.fromPartial({ from: 'a release' }),
        }),
        newDeployment({ environment: 'staging' }),
      ];
      await ledger.writeQueues(wanted, []);
      await ledger.writeQueues([], []);
      const stored = await ledger.unfinishedDeployments();
      expect(stored).to.have.length(3);
      for (const [index, one] of wanted.entries()) {
        expect(stored[index]).to.deep.include({ ...one, status: 'queued', lastNumber: 0, finishedAt: null });
      }
      const found = await ledger.deployments([...wanted.map(({ id }) => id), 'd_none']);
      expect(found.map(({ id }) => id)).to.have.members(wanted.map(({ id }) => id));
      const again = await ledger
        .writeQueues([newDeployment({ requestId: 'q1' })], [])
        .catch((error) => error);
      expect(again).to.be.instanceOf(FraisierError);
    });

    it('are superseded in one go, also by each other, each for its reason; what runs is not', async () => {
      const ledger = ledgerNow();
      const [old, running, made, last] = [newDeployment(), newDeployment(), newDeployment(), newDeployment()];
      await ledger.writeQueues([old, running], []);
      await ledger.moveDeployment(running.id, 'queued', 'running');
      const because = ({ id }: NewDeployment) => ({ id, reason: reason('superseded', `of ${id}`) });
      await ledger.writeQueues([made, last], [old, running, made].map(because));
      for (const one of [old, made]) {
        const ended = await ledger.deployment(one.id);
        expect(ended).to.deep.include({
          ...one,
          ...{ status: 'superseded', reason: because(one).reason, lastNumber: 1, changedNumber: 1 },
        });
        expect(ended?.finishedAt).to.be.instanceOf(Date);
      }
      expect(await ledger.deployment(running.id)).to.deep.include({ status: 'running', reason: null });
      expect(await ledger.deployment(last.id)).to.deep.include({ status: 'queued', lastNumber: 0 });
    });
  });
}
