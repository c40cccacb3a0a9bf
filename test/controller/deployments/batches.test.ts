import { expect } from 'chai';
import fc from 'fast-check';
import { atMost, batchSizesOf, dealBatches, hostsIn } from '../../../controller/deployments/batches.js';
import type { BatchSize, Rollout } from '../../../controller/fraises/fraises.js';
import { anEnvironment } from '../../support/builders.js';

function batchesOf(rollout: Rollout, count: number): readonly number[] {
  return dealBatches(
    Array.from({ length: count }, () => ''),
    batchSizesOf(rollout, count),
  );
}

function sizes(count: number, more: Partial<Rollout>): readonly number[] {
  const batches = batchesOf({ ...anEnvironment().rollout, ...more }, count);
  return [...new Set(batches)].map((batch) => batches.filter((one) => one === batch).length);
}

describe('the batches of a rollout', () => {
  const CASES: readonly [string, number, Partial<Rollout>, readonly number[]][] = [
    ['one host at a time unless something else is said', 4, {}, [1, 1, 1, 1]],
    ['a number of hosts at a time', 5, { batch: [2] }, [2, 2, 1]],
    ['a percentage of all hosts, rounded up', 10, { batch: ['25%'] }, [3, 3, 3, 1]],
    ['sizes in turn, the last one again and again', 20, { batch: [1, 5, '25%'] }, [1, 5, 5, 5, 4]],
    ['canaries before all others', 4, { canary: 1, batch: [2] }, [1, 2, 1]],
    ['no more canaries than hosts', 2, { canary: 5, batch: [2] }, [2]],
    ['all of them', 3, { batch: ['100%'] }, [3]],
    ['all at once, whatever else is said', 4, { strategy: 'all_at_once', canary: 1 }, [4]],
    ['nothing of nothing', 0, { canary: 1 }, []],
  ];
  for (const [what, count, rollout, expected] of CASES) {
    it(`are ${what}`, () => {
      expect(sizes(count, rollout)).to.deep.equal(expected);
    });
  }

  it('end where another zone begins', () => {
    const dealt = (zones: string, ...more: number[]) => dealBatches(zones.split(''), more).join('');
    expect(dealt('aaabb', 2)).to.equal('00122');
    expect(dealt('aabbb', 1, 5)).to.equal('01222');
    expect(dealt('abc', 5)).to.equal('012');
  });

  it('take a percentage of hosts that may fail down, and of those that must stay healthy up', () => {
    expect([atMost('25%', 7), atMost('0%', 7), atMost(3, 7)]).to.deep.equal([1, 0, 3]);
    expect([hostsIn('25%', 7), hostsIn('0%', 7), hostsIn(3, 7)]).to.deep.equal([2, 0, 3]);
  });

  it('hold every host once, in order, and none is empty or larger than asked for', () => {
    const size = fc.oneof(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 100 }).map((percent): BatchSize => `${percent}%`),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.nat(5),
        fc.array(size, { minLength: 1, maxLength: 4 }),
        (count, canary, batch) => {
          const batches = batchesOf({ ...anEnvironment().rollout, canary, batch }, count);
          expect(batches).to.have.length(count);
          expect([...batches]).to.deep.equal([...batches].sort((a, b) => a - b));
          expect(new Set(batches).size).to.equal(count === 0 ? 0 : (batches.at(-1) ?? 0) + 1);
        },
      ),
    );
  });
});
