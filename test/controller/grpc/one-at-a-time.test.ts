import { expect } from 'chai';
import { oneAtATime } from '../../../controller/grpc/one-at-a-time.js';

describe('one at a time of each key', () => {
  it('waits for what is of the same key, in order, and for nothing else', async () => {
    const inTurn = oneAtATime();
    const [began, ends] = [[] as string[], new Map<string, () => void>()];
    const begin = (name: string, ...keys: string[]) =>
      inTurn(keys, async () => {
        began.push(name);
        await new Promise<void>((end) => ends.set(name, end));
        return name;
      });
    const work = [
      begin('one', 'a'),
      begin('two', 'b', 'a'),
      begin('three', 'a'),
      begin('four', 'c'),
      begin('five'),
    ];
    await new Promise(setImmediate);
    expect(began).to.have.members(['one', 'four', 'five']);
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      ends.get(name)?.();
      await new Promise(setImmediate);
    }
    expect(began.filter((name) => name !== 'four' && name !== 'five')).to.deep.equal(['one', 'two', 'three']);
    expect(await Promise.all(work)).to.deep.equal(['one', 'two', 'three', 'four', 'five']);
  });

  it('goes on after something failed', async () => {
    const inTurn = oneAtATime();
    const failed = inTurn(['a'], () => Promise.reject(new Error('this one')));
    const next = inTurn(['a'], () => Promise.resolve('the next one'));
    expect(await failed.catch((error: unknown) => error)).to.have.property('message', 'this one');
    expect(await next).to.equal('the next one');
  });
});
