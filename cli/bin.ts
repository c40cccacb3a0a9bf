#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../proto/package-root.js';

// No top-level await here, and nothing heavy before it is needed: `fraisier --version` costs what node costs.
const argv = process.argv.slice(2);

if (argv.length === 1 && argv[0] === '--version') {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  process.stdout.write(`fraisier ${version}\n`);
} else {
  void import('./program.js').then(async ({ runProgram }) => process.exit(await runProgram(argv)));
}
