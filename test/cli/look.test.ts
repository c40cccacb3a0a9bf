import { expect } from 'chai';
import { lookFor } from '../../cli/look.js';
import { NOW } from './samples.js';

describe('the look of an answer', () => {
  const terminal = { isTTY: true, columns: 120 };
  const cases: [
    string,
    Parameters<typeof lookFor>[0],
    boolean,
    boolean,
    { colours: boolean; columns: number },
  ][] = [
    ['coloured on a terminal', terminal, true, false, { colours: true, columns: 120 }],
    ['plain where --no-color says so', terminal, true, true, { colours: false, columns: 120 }],
    ['plain where NO_COLOR says so', terminal, false, false, { colours: false, columns: 120 }],
    [
      '80 wide where a terminal does not tell',
      { isTTY: true, columns: 0 },
      true,
      false,
      { colours: true, columns: 80 },
    ],
    [
      'plain and as wide as it comes in a pipe',
      { isTTY: false, columns: 0 },
      true,
      false,
      { colours: false, columns: Number.POSITIVE_INFINITY },
    ],
  ];
  for (const [title, stream, mayColour, noColour, wanted] of cases) {
    it(`is ${title}`, () => {
      const { ink, now, columns } = lookFor(stream, { mayColour }, { 'no-color': noColour }, NOW);
      expect({ colours: ink.red('x') !== 'x', columns, now }).to.deep.equal({ ...wanted, now: NOW });
    });
  }
});
