import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../proto/package-root.js';
import { ROWS, rowsOf } from '../matrix/rows.js';

describe('the fault matrix', () => {
  it('has tests that name their row for each of its rows, and names no other', async () => {
    const folder = join(packageRoot(), 'test');
    const files = (await readdir(folder, { recursive: true })).filter((name) =>
      /\.(test|fleet)\.ts$/.test(name),
    );
    const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
    const titles = texts.flatMap((text) => text.split('\n').filter((line) => /\b(it|describe)\(/.test(line)));
    const named = new Set(titles.flatMap(rowsOf));
    expect([...named].toSorted((a, b) => a - b)).to.deep.equal(ROWS.map((_, index) => index + 1));
  });
});
