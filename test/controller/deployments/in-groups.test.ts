import { expect } from 'chai';
import { inGroups, inGroupsByKey } from '../../../controller/deployments/in-groups.js';

const LIMITS = { most: 64, heaviest: 100, weigh: (item: string) => item.length };

/** Writes the groups down, and does nothing with one that holds a `bad` item. */
function recording(): { act: (group: readonly string[]) => Promise<readonly string[]>; groups: string[][] } {
  const groups: string[][] = [];
  const act = async (group: readonly string[]): Promise<readonly string[]> => {
    await new Promise((next) => setImmediate(next));
    if (group.includes('bad')) throw new Error('no');
    groups.push([...group]);
    return group.map((item) => `${item}!`);
  };
  return { act, groups };
}

describe('what is done in groups', () => {
  it('is done alone when it comes alone, and together when it comes meanwhile', async () => {
    const { act, groups } = recording();
    const grouped = inGroups(act, LIMITS);
    const results = await Promise.all(['a', 'b', 'c', 'd'].map(grouped));
    expect(results).to.deep.equal(['a!', 'b!', 'c!', 'd!']);
    expect(groups).to.deep.equal([['a'], ['b', 'c', 'd']]);
    expect(await grouped('e')).to.equal('e!');
    expect(groups.at(-1)).to.deep.equal(['e']);
  });

  it('is never more than so many at once', async () => {
    const { act, groups } = recording();
    await Promise.all(Array.from({ length: 130 }, () => 'x').map(inGroups(act, LIMITS)));
    expect(groups.map((group) => group.length)).to.deep.equal([1, 64, 64, 1]);
  });

  it('is never heavier together than so much, and goes alone when it is heavier by itself', async () => {
    const { act, groups } = recording();
    const sizes = [1, 60, 40, 1, 150, 2, 2];
    await Promise.all(sizes.map((size) => 'x'.repeat(size)).map(inGroups(act, LIMITS)));
    expect(groups.map((group) => group.map((item) => item.length))).to.deep.equal([
      [1],
      [60, 40],
      [1],
      [150],
      [2, 2],
    ]);
  });

  it('is done each on its own when one of the group fails, and only that one is told so', async () => {
    const { act, groups } = recording();
    const answers = await Promise.allSettled(['a', 'b', 'bad', 'c'].map(inGroups(act, LIMITS)));
    expect(answers.map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))).to.deep.equal([
      'a!',
      'b!',
      'failed',
      'c!',
    ]);
    expect(groups).to.deep.equal([['a'], ['b'], ['c']]);
  });

  it('is told together when it failed for what is nobody’s fault', async () => {
    const { act, groups } = recording();
    const put = inGroups(act, { ...LIMITS, isOfOne: () => false });
    const answers = await Promise.allSettled(['a', 'b', 'bad', 'c'].map(put));
    expect(answers.map(({ status }) => status)).to.deep.equal([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(groups).to.deep.equal([['a']]);
  });

  it('of one key neither waits for another’s nor is done with it', async () => {
    const groups: string[][] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const put = inGroupsByKey(async (group: readonly string[]) => {
      if (group.includes('held')) await held;
      groups.push([...group]);
      return group;
    }, LIMITS);
    const first = ['held', 'a', 'b'].map((item) => put('one', item));
    expect(await Promise.all(['c', 'd', 'e'].map((item) => put('other', item)))).to.deep.equal([
      'c',
      'd',
      'e',
    ]);
    expect(groups).to.deep.equal([['c'], ['d', 'e']]);
    release();
    expect(await Promise.all(first)).to.deep.equal(['held', 'a', 'b']);
    expect(groups.slice(2)).to.deep.equal([['held'], ['a', 'b']]);
    expect(await put('one', 'f')).to.equal('f');
  });
});
