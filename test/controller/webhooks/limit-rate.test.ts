import { expect } from 'chai';
import { limitRepositories } from '../../../controller/webhooks/limit-rate.js';

/** How many of so many deliveries are let in. */
function admitted(admit: (repository: string) => void, repository: string, times: number): number {
  let count = 0;
  for (let n = 0; n < times; n += 1) {
    try {
      admit(repository);
      count += 1;
    } catch (error) {
      expect(error).to.have.nested.property('reason.code', 'rate_limited');
      expect(error).to.have.nested.property('reason.facts.repository', repository);
    }
  }
  return count;
}

describe('the limit of a repository', () => {
  it('is its own, and is there again after a minute', () => {
    let now = 0;
    const admit = limitRepositories(3, () => now);
    expect(admitted(admit, 'a', 5)).to.equal(3);
    expect(admitted(admit, 'b', 2)).to.equal(2);
    now = 59_999;
    expect(admitted(admit, 'a', 1)).to.equal(0);
    now = 60_000;
    expect(admitted(admit, 'a', 5)).to.equal(3);
  });

  it('is shared by those that are too many to be counted each', () => {
    const admit = limitRepositories(3, () => 0);
    for (let n = 0; n < 10_000; n += 1) admit(`repository ${n}`);
    expect(admitted(admit, 'one more', 2)).to.equal(2);
    expect(admitted(admit, 'another one', 2)).to.equal(1);
    expect(admitted(admit, 'repository 7', 3)).to.equal(2);
  });
});
