import { expect } from 'chai';
import { coverageFaults, type FileCoverage } from '../../scripts/coverage-gates.js';

const GATED = [
  'controller/deployments/decide.ts',
  'controller/webhooks/route.ts',
  'controller/fraises/fraises.ts',
  'controller/recipes/api.ts',
  'controller/db/database.ts',
  'agent/steps/fetch.ts',
  'agent/journal.ts',
  'agent/run.ts',
  'agent/policy.ts',
];

describe('the coverage gates', () => {
  it('are met when every gated file is covered wholly and the rest to 90 %', () => {
    expect(coverageFaults({ ...wholly(GATED), 'cli/bin.ts': covered(100, 90) })).to.deep.equal([]);
  });

  for (const file of GATED) {
    it(`are missed by one uncovered line of ${file}`, () => {
      const faults = coverageFaults({ ...wholly(GATED), [file]: covered(1000, 999) });
      expect(faults).to.have.length(2);
      expect(faults[1]).to.contain(file).and.to.contain('99.90 %');
    });

    it(`are missed when nothing of ${file} was measured`, () => {
      const rest = wholly(GATED.filter((name) => name !== file));
      expect(coverageFaults(rest).join()).to.contain('no file of it was measured');
    });
  }

  it('are missed when less than 90 % of everything is covered', () => {
    const faults = coverageFaults({ ...wholly(GATED), 'cli/bin.ts': covered(1000, 100) });
    expect(faults[0]).to.match(/^everything: .*wanted 90 %$/);
  });
});

function wholly(files: readonly string[]): Record<string, FileCoverage> {
  return Object.fromEntries(files.map((file) => [file, covered(10, 10)]));
}

function covered(total: number, reached: number): FileCoverage {
  const count = { total, covered: reached };
  return { lines: count, statements: count, functions: count, branches: count };
}
