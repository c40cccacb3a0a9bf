import { expect } from 'chai';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { reason } from '../../../proto/error-codes.js';
import { until } from '../../support/until.js';
import { COMMIT, newDelivery, newDeployment } from './samples.js';

/** What every implementation of the port promises of deliveries that wait, and of branches that are looked at. */
export function pendingContract(ledgerNow: () => Ledger): void {
  describe('a pending delivery', () => {
    it('is in one hand at a time, the oldest first, until it is given back or its time is over', async () => {
      const ledger = ledgerNow();
      const [first, second] = ['one', 'two'].map((deliveryId) =>
        newDelivery({ deliveryId, verdict: 'pending' }),
      ) as [ReturnType<typeof newDelivery>, ReturnType<typeof newDelivery>];
      await ledger.insertDelivery(newDelivery({ deliveryId: 'other' }));
      await ledger.claimDelivery(first);
      await ledger.claimDelivery(second);
      await ledger.insertDeployment(newDeployment({ id: 'd_first', webhookId: first.id }));
      const taken = await ledger.takePending(600_000);
      expect([taken?.id, taken?.deployments]).to.deep.equal([first.id, ['d_first']]);
      expect((await ledger.takePending(600_000))?.id).to.equal(second.id);
      expect(await ledger.takePending(600_000)).to.equal(null);
      await ledger.postponePending(second.id, 600_000);
      expect(await ledger.takePending(600_000)).to.equal(null);
      await ledger.postponePending(second.id, 0);
      await until('it to come back', async () => (await ledger.takePending(600_000))?.id === second.id);
    });

    it('gets its verdict from one', async () => {
      const ledger = ledgerNow();
      const { id } = newDelivery({ verdict: 'pending' });
      await ledger.claimDelivery(newDelivery({ id, verdict: 'pending' }));
      const why = reason('paths_unchanged', 'nothing changed');
      expect(await ledger.moveDelivery(id, 'pending', 'ignored', why)).to.equal(true);
      expect(await ledger.moveDelivery(id, 'pending', 'deployed', null)).to.equal(false);
      const held = await ledger.transaction((tx) => tx.holdDelivery(id));
      expect(held).to.deep.include({ verdict: 'ignored', reason: why });
      expect(await ledger.moveDelivery(id, 'ignored', 'deployed', null)).to.equal(true);
      expect((await ledger.transaction((tx) => tx.holdDelivery(id)))?.reason).to.equal(null);
      expect(await ledger.takePending(1)).to.equal(null);
    });

    it('knows when it was received', async () => {
      const ledger = ledgerNow();
      const stored = await ledger.insertDelivery(newDelivery());
      expect(await ledger.receivedAt(stored.id)).to.deep.equal(stored.receivedAt);
      expect(await ledger.receivedAt('w_none')).to.equal(null);
    });
  });

  describe('a branch that is looked at', () => {
    const branch = { repository: 'github.com/acme/checkout', branch: 'main' };

    it('is somebody’s turn, and says where it was at the look before', async () => {
      const ledger = ledgerNow();
      expect(await ledger.takeBranchCheck(branch, 600_000)).to.equal('');
      expect(await ledger.takeBranchCheck(branch, 600_000)).to.equal(null);
      expect(await ledger.takeBranchCheck({ ...branch, branch: 'next' }, 0)).to.equal('');
      await ledger.noteBranchHead({ ...branch, branch: 'next' }, COMMIT);
      const again = () => ledger.takeBranchCheck({ ...branch, branch: 'next' }, 0);
      await until('its turn to come', async () => (await again()) === COMMIT);
    });

    it('is one’s turn only, of those who come at the same moment', async () => {
      const ledger = ledgerNow();
      const turns = await Promise.all(
        Array.from({ length: 8 }, () => ledger.takeBranchCheck(branch, 600_000)),
      );
      expect(turns.filter((one) => one !== null)).to.deep.equal(['']);
    });

    it('was told by deliveries that were verified, and by missed ones', async () => {
      const ledger = ledgerNow();
      await ledger.insertDelivery(newDelivery({ verdict: 'bad_signature' }));
      expect(await ledger.wasDelivered('main', COMMIT)).to.equal(false);
      await ledger.insertDelivery(newDelivery({ verdict: 'ignored' }));
      expect(await ledger.wasDelivered('main', COMMIT)).to.equal(true);
      expect(await ledger.wasDelivered('next', COMMIT)).to.equal(false);
      expect(await ledger.missedDelivery('main', COMMIT)).to.equal(null);
      const missed = await ledger.insertDelivery(newDelivery({ event: 'missed_push' }));
      await ledger.insertDeployment(newDeployment({ id: 'd_missed', webhookId: missed.id }));
      const found = await ledger.missedDelivery('main', COMMIT);
      expect([found?.id, found?.deployments]).to.deep.equal([missed.id, ['d_missed']]);
      expect(await ledger.missedDelivery('main', 'e'.repeat(40))).to.equal(null);
    });
  });
}
