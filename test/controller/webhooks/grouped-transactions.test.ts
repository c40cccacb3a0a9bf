import { expect } from 'chai';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { groupedTransactions } from '../../../controller/webhooks/grouped-transactions.js';

/** A ledger of transactions only: which works each held, and whether it was kept. */
function recording(): { ledger: Ledger; begun: number[]; kept: string[][] } {
  const begun: number[] = [];
  const kept: string[][] = [];
  const transaction = async <T>(work: (tx: Ledger) => Promise<T>): Promise<T> => {
    const did: string[] = [];
    begun.push(begun.length);
    const result = await work({
      audit: async ({ subject }: { subject: string }) => void did.push(subject),
    } as never);
    await new Promise((next) => setImmediate(next));
    kept.push(did);
    return result;
  };
  return { ledger: { transaction } as Ledger, begun, kept };
}

const writing = (subject: string) => async (tx: Ledger) => {
  await tx.audit({ actor: 'test', action: 'wrote', subject, facts: {} });
  return subject;
};

describe('grouped transactions', () => {
  it('commit alone what comes alone, and together what comes meanwhile', async () => {
    const { ledger, kept } = recording();
    const grouped = groupedTransactions(ledger);
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((name) => grouped.transaction(writing(name))));
    expect(results).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(kept).to.deep.equal([['a'], ['b', 'c', 'd']]);
    expect(await grouped.transaction(writing('e'))).to.equal('e');
    expect(kept.at(-1)).to.deep.equal(['e']);
  });

  it('hold no more than 64 at once', async () => {
    const { ledger, kept } = recording();
    const grouped = groupedTransactions(ledger);
    await Promise.all(Array.from({ length: 130 }, (_, n) => grouped.transaction(writing(String(n)))));
    expect(kept.map((group) => group.length)).to.deep.equal([1, 64, 64, 1]);
  });

  it('keep nothing of a group in which one fails, and do each of it on its own', async () => {
    const { ledger, kept } = recording();
    const grouped = groupedTransactions(ledger);
    const failing = async (): Promise<never> => {
      await Promise.resolve();
      throw new Error('no');
    };
    const answers = await Promise.allSettled([
      grouped.transaction(writing('a')),
      grouped.transaction(writing('b')),
      grouped.transaction(failing),
      grouped.transaction(writing('c')),
    ]);
    expect(answers.map(({ status }) => status)).to.deep.equal([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(kept).to.deep.equal([['a'], ['b'], ['c']]);
  });
});
