import { expect } from 'chai';
import { matchesGlob } from '../../../controller/webhooks/matches-glob.js';

describe('a pattern of names', () => {
  const cases: readonly (readonly [name: string, pattern: string, matches: boolean])[] = [
    ['v1', 'v*', true],
    ['v', 'v*', true],
    ['1v', 'v*', false],
    ['release/1', '*', false],
    ['release/1', 'release/*', true],
    ['release/1/2', 'release/*', false],
    ['release/1/2', 'release/**', true],
    ['a/b', 'a/**/b', true],
    ['a/x/y/b', 'a/**/b', true],
    ['ab', 'a**/b', false],
    ['v1.2', 'v?.?', true],
    ['v1x2', 'v1.2', false],
    ['v/', 'v?', false],
    ['a+(b)[c]', 'a+(b)[c]', true],
    ['v1\nv2', 'v1', false],
    ['v1\nv2', 'v**', true],
    ['', '', true],
  ];
  for (const [name, pattern, matches] of cases) {
    it(`${JSON.stringify(pattern)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(name)}`, () => {
      expect(matchesGlob(name, pattern)).to.equal(matches);
    });
  }
});
