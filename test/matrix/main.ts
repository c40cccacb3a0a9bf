import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../proto/package-root.js';
import { mocha, type Told } from './mocha.js';
import { render } from './render.js';

const TESTS = ['{agent,cli,controller,proto,system}/**/*.test.js', 'fleet/*.fleet.js'];

const WHOLE = { FRAISIER_MATRIX: 'whole' };

/** Plays every cut of row 1 and every death of row 2 (twenty minutes on two cores) and writes docs/fault-matrix.md; 1 when one was not as it must be. */
async function main(): Promise<number> {
  const files = TESTS.map((pattern) => join(packageRoot(), 'dist', 'test', pattern));
  const tests = await mocha(['--dry-run', ...files], WHOLE);
  const cuts = await whole('cut.test.js');
  const deaths = await whole('death.test.js');
  await writeFile(join(packageRoot(), 'docs', 'fault-matrix.md'), render({ tests, cuts, deaths }));
  for (const { fullTitle } of [...cuts, ...deaths].filter(({ passed }) => !passed))
    process.stderr.write(`not as it must be: ${fullTitle}\n`);
  return Math.max(verdict('cuts', cuts), verdict('deaths', deaths));
}

function whole(file: string): Promise<readonly Told[]> {
  const test = join(packageRoot(), 'dist', 'test');
  const hooks = join(test, 'support', 'root-hooks.js');
  return mocha(['--require', hooks, join(test, 'system', file)], WHOLE);
}

function verdict(what: string, all: readonly Told[]): number {
  const passed = all.filter((one) => one.passed).length;
  process.stdout.write(`${passed} of ${all.length} ${what} as they must be\n`);
  return passed === all.length && all.length > 0 ? 0 : 1;
}

process.exitCode = await main();
