import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../proto/package-root.js';
import { mocha } from './mocha.js';
import { render } from './render.js';

const TESTS = ['{agent,cli,controller,proto,system}/**/*.test.js', 'fleet/*.fleet.js'];

/** Plays every death of row 2 (ten minutes on two cores) and writes docs/fault-matrix.md; 1 when one was not as it must be. */
async function main(): Promise<number> {
  const files = TESTS.map((pattern) => join(packageRoot(), 'dist', 'test', pattern));
  const tests = await mocha(['--dry-run', ...files]);
  const deathFile = join(packageRoot(), 'dist', 'test', 'system', 'death.test.js');
  const hooks = join(packageRoot(), 'dist', 'test', 'support', 'root-hooks.js');
  const deaths = await mocha(['--require', hooks, deathFile], { FRAISIER_MATRIX: 'whole' });
  await writeFile(join(packageRoot(), 'docs', 'fault-matrix.md'), render(tests, deaths));
  const failed = deaths.filter(({ passed }) => !passed);
  for (const { fullTitle } of failed) process.stderr.write(`not as it must be: ${fullTitle}\n`);
  process.stdout.write(`${deaths.length - failed.length} of ${deaths.length} deaths as they must be\n`);
  return failed.length === 0 && deaths.length > 0 ? 0 : 1;
}

process.exitCode = await main();
