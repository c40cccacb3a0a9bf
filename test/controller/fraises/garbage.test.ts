import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { FraisierError } from '../../../proto/error-codes.js';
import { checkFraises, parseFraises } from '../../../controller/fraises/parse-fraises.js';
import { ORIGINAL_SAMPLE, shipped } from './samples.js';

/** A configuration, or a FraisierError about places that are in the file; anything else fails. */
function isAnswered(text: string): void {
  const { problems, warnings, configuration } = checkFraises(text);
  const lines = text.split(/\r\n|\n/).length;
  for (const { line, column } of [...problems, ...warnings]) {
    expect(line).to.be.within(1, lines + 1);
    expect(column).to.be.greaterThan(0);
  }
  expect(configuration === null).to.equal(problems.length > 0);
  try {
    parseFraises(text, 'fraises.yaml');
  } catch (fault) {
    if (!(fault instanceof FraisierError)) throw fault;
    expect(fault.reason.code).to.equal('invalid_configuration');
    expect(
      fault.message.split('\n').every((line) => /^(fraises\.yaml:\d+:\d+: |… and )/.test(line)),
    ).to.equal(true);
  }
}

const PUNCTUATION = Array.from('{}[]:,-&*!|>?<"\'#% \n\tab1~');

describe('any text at all', () => {
  const sample = fc.constantFrom(ORIGINAL_SAMPLE, shipped('fraises.example.yaml'));

  it('is answered with a configuration or a FraisierError', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), isAnswered));
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...PUNCTUATION) }), isAnswered));
  });

  it('is so when pieces of a good file are cut out, doubled or replaced', () => {
    const piece = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.nat(30),
      put: fc.string(),
    });
    const mutation = fc.tuple(sample, fc.array(piece, { minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(mutation, ([text, pieces]) => {
        isAnswered(
          pieces.reduce((current, { at, length, put }) => {
            const start = Math.floor(at * current.length);
            return current.slice(0, start) + put + current.slice(start + length);
          }, text),
        );
      }),
      { numRuns: 75 },
    );
  });

  it('is so when any value stands where another was expected', () => {
    const key = fc.oneof(
      fc.constantFrom(
        'fraises',
        'git',
        'github',
        'hosts',
        'environments',
        'type',
        'app_path',
        'rollout',
        'database',
      ),
      fc.constantFrom(
        'branch_mapping',
        'fraise',
        'environment',
        'shop',
        '__proto__',
        'constructor',
        'labels',
      ),
    );
    const leaf = fc.oneof(
      fc.constantFrom('api', 'shop', '/srv/shop', '${X}', null, true),
      fc.string(),
      fc.double(),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        leaf,
        fc.dictionary(key, tie('value'), { maxKeys: 5 }),
        fc.array(tie('value'), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (map) => isAnswered(stringify(map))),
      { numRuns: 75 },
    );
  });
});
