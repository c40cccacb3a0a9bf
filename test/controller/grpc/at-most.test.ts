import { expect } from 'chai';
import { atMost } from '../../../controller/grpc/at-most.js';

describe('work that is done only so much at once', () => {
  it('goes on in the order in which it came, and never more of it', async () => {
    const inTurn = atMost(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = [0, 1, 2, 3].map((one) =>
      inTurn(async () => {
        begun.push(one);
        await new Promise<void>((end) => ends.push(end));
        return one * 10;
      }),
    );
    expect(begun).to.deep.equal([0, 1]);
    for (const count of [3, 4, 4, 4]) {
      ends.shift()?.();
      await new Promise(setImmediate);
      expect(begun).to.have.length(count);
    }
    expect(await Promise.all(all)).to.deep.equal([0, 10, 20, 30]);
    expect(begun).to.deep.equal([0, 1, 2, 3]);
  });

  it('hands its place on also when it fails, and tells who asked', async () => {
    const inTurn = atMost(1);
    const failed = inTurn(() => Promise.reject(new Error('no'))).catch((error: Error) => error.message);
    expect(await inTurn(() => Promise.resolve('next'))).to.equal('next');
    expect(await failed).to.equal('no');
    expect(await inTurn(() => Promise.resolve('later'))).to.equal('later');
  });
});
