import { expect } from 'chai';
import { wordFaults } from '../../scripts/check-words.js';

const OPEN = 'TO' + 'DO';

describe("the house's words", () => {
  it('refuse a thing left open without the number of an issue', () => {
    expect(wordFaults('agent/x.ts', `// ${OPEN}: later\n`)).to.have.length(1);
    expect(wordFaults('agent/x.ts', `// ${OPEN}(#12): later\n`)).to.deep.equal([]);
  });

  it('refuse an exported function without a doc comment, and only of the product and its scripts', () => {
    const bare = 'export async function act(): Promise<void> {}\n';
    expect(wordFaults('agent/x.ts', bare)[0]).to.match(/^agent\/x\.ts:1: .*act/);
    expect(wordFaults('agent/x.ts', `/** Acts. */\n${bare}`)).to.deep.equal([]);
    expect(wordFaults('test/agent/x.test.ts', bare)).to.deep.equal([]);
  });

  it('refuse a silenced check and a skipped or focused test', () => {
    for (const line of [
      '// @ts-' + 'ignore',
      'describe' + ".only('x')",
      'it' + ".skip('x')",
      '// oxlint-' + 'disable-next-line',
    ]) {
      expect(wordFaults('test/x.test.ts', `${line}\n`), line).to.have.length(1);
    }
  });
});
