import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../proto/package-root.js';
import { coverageFaults, coverageSummary, type FileCoverage } from './coverage-gates.js';

/** Reads c8's json-summary (the first argument) and fails when a gate is missed. */
async function main(summaryFile: string): Promise<void> {
  const summary = JSON.parse(await readFile(summaryFile, 'utf8')) as Readonly<Record<string, FileCoverage>>;
  const files = await withCode(summary);
  const faults = coverageFaults(files);
  process.stdout.write(
    [...faults, `${Object.keys(files).length} files: ${coverageSummary(files)}`, ''].join('\n'),
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

/** The files of a summary by their path from the top, without those that hold types only: nothing ever loads them. */
async function withCode(
  summary: Readonly<Record<string, FileCoverage>>,
): Promise<Readonly<Record<string, FileCoverage>>> {
  const root = packageRoot();
  const compiled = fileURLToPath(new URL('..', import.meta.url));
  const kept = await Promise.all(
    Object.entries(summary).map(async ([path, coverage]) => {
      const file = relative(root, path).split(sep).join('/');
      if (path === 'total' || (await isEmpty(join(compiled, file.replace(/\.ts$/, '.js'))))) return [];
      return [[file, coverage] as const];
    }),
  );
  return Object.fromEntries(kept.flat());
}

async function isEmpty(javascript: string): Promise<boolean> {
  const text = (await readFile(javascript, 'utf8')).replaceAll(/\/\*[^]*?\*\/|^\/\/.*$/gm, '');
  return text.trim() === 'export {};';
}

await main(process.argv[2] ?? 'coverage/coverage-summary.json');
