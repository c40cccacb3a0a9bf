import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../proto/package-root.js';
import { checkImports } from './check-imports.js';
import { wordFaults } from './check-words.js';
import { sourceFiles } from './source-files.js';

/** What no linter checks: the import table, words left open, doc comments, addresses of registries in the lock file. */
async function main(): Promise<void> {
  const root = packageRoot();
  const files = await sourceFiles(root);
  const words = files.map(async (file) => wordFaults(file, await readFile(join(root, file), 'utf8')));
  const faults = [
    ...(await checkImports(root, files)),
    ...(await Promise.all(words)).flat(),
    ...lockFaults(await readFile(join(root, 'package-lock.json'), 'utf8')),
  ];
  process.stdout.write(faults.map((fault) => `${fault}\n`).join(''));
  process.stdout.write(
    `${files.length} files held against the import table and the house's words: ${faults.length} faults\n`,
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

function lockFaults(lock: string): readonly string[] {
  const line = lock.split('\n').findIndex((text) => text.includes('"resolved"'));
  return line < 0
    ? []
    : [`package-lock.json:${line + 1}: names the registry it was made with (npm install writes none here)`];
}

await main();
