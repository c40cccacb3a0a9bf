import { expect } from 'chai';
import { supersede } from '../../../controller/webhooks/supersede.js';
import { NOON } from '../../support/builders.js';
import { memoryLedger } from '../../support/memory-ledger.js';
import { newDeployment } from '../db/samples.js';

describe('a queued push that a newer one supersedes', () => {
  const [OLD, NEW] = ['a'.repeat(40), 'b'.repeat(40)];

  it('tells of its end, unless the newer one is of the same commit and has the word', async () => {
    const { ledger, state } = memoryLedger(() => NOON);
    const newer = await ledger.insertDeployment(newDeployment({ id: 'd_3', commit: NEW }));
    for (const [id, commit] of [
      ['d_1', OLD],
      ['d_2', NEW],
    ] as const)
      await supersede(ledger, await ledger.insertDeployment(newDeployment({ id, commit })), newer);
    expect(state().deployments.map(({ status }) => status)).to.deep.equal([
      'queued',
      'superseded',
      'superseded',
    ]);
    expect(state().outbox.map(({ payload }) => payload)).to.deep.equal([
      { deployment: 'd_1', status: 'superseded' },
    ]);
  });
});
