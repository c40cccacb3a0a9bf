import { expect } from 'chai';
import { problemsOf } from './samples.js';

describe('a file that is not the YAML it should be', () => {
  it('is refused with the place of the fault', () => {
    expect(problemsOf('fraises:\n  a: 1\n  a: 2\n')).to.deep.equal([
      '3:3 : not valid YAML: Map keys must be unique',
    ]);
    expect(problemsOf('fraises:\n  a: [1,\n')[0]).to.match(/^3:1 : not valid YAML: /);
    expect(problemsOf('fraises: {}\n---\nfraises: {}\n')[0]).to.match(
      /^\d+:\d+ : not valid YAML: .*multiple documents/,
    );
  });

  it('is refused for a tag, so that no tag is ever taken for its value', () => {
    expect(problemsOf('git: { github: { webhook_secret: !envvar NAME } }')).to.deep.equal([
      '1:34 : not valid YAML: Unresolved tag: !envvar; write ${NAME} to take a value from the environment',
    ]);
    expect(problemsOf('name: !x y')).to.deep.equal(['1:7 : not valid YAML: Unresolved tag: !x']);
  });

  it('is refused when it is empty or no map', () => {
    expect(problemsOf('')).to.deep.equal(['1:1 : is empty; must be a map of keys']);
    expect(problemsOf('- a\n')).to.deep.equal(['1:1 : must be a map of keys']);
  });

  it('is refused when it is huge, nested too deeply, or multiplies its aliases', () => {
    expect(problemsOf(' '.repeat(1_000_001))).to.deep.equal([
      '1:1 : the file is larger than 1000000 characters',
    ]);
    expect(problemsOf('['.repeat(100_000))[0]).to.contain('Maximum call stack size exceeded');
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i++)
      lines.push(`${'abcdefghijkl'[i]}: &${'abcdefghijkl'[i]} [${`*${'abcdefghijkl'[i - 1]}, `.repeat(9)}]`);
    expect(problemsOf(lines.join('\n'))[0]).to.match(/^1:1 : cannot be read as YAML: Excessive alias count/);
  });

  it('is read with keys as they are written, and circles do no harm', () => {
    expect(problemsOf('1.0: x\nfraises: {}\n')[0]).to.match(/^1:1 1\.0: unknown key/);
    expect(problemsOf('fraises: &f\n  a: *f\n').length).to.be.greaterThan(0);
  });

  it('is located at its nearest key where a path ends in a list or an empty value', () => {
    expect(problemsOf('fraises:\n')).to.deep.equal(['1:9 fraises: is empty; must be a map of keys']);
    expect(problemsOf('fraises: []\n')).to.deep.equal(['1:10 fraises: must be a map of keys']);
  });
});
