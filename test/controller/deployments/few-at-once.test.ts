import { expect } from 'chai';
import { fewAtOnce } from '../../../controller/deployments/few-at-once.js';

const TEN = Array.from({ length: 10 }, (_, at) => at);

describe('a few at once', () => {
  it('are all done, in order, with no more in hand than were said', async () => {
    let [inHand, most] = [0, 0];
    const answers = await fewAtOnce(TEN, 3, async (one) => {
      most = Math.max(most, (inHand += 1));
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
      inHand -= 1;
      return one * 2;
    });
    expect(answers).to.deep.equal(TEN.map((one) => one * 2));
    expect(most).to.equal(3);
    expect(await fewAtOnce([], 3, () => Promise.reject(new Error('none')))).to.deep.equal([]);
  });

  it('begin no more when one of them failed', async () => {
    const begun: number[] = [];
    const failed = await fewAtOnce(TEN, 2, async (one) => {
      begun.push(one);
      await Promise.resolve();
      if (one === 2) throw new Error('the third');
    }).catch((error: unknown) => (error as Error).message);
    expect(failed).to.equal('the third');
    expect(begun.length).to.be.lessThan(6);
  });
});
