import { readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { IMPORT_TABLE, type ForbiddenWord, type ImportRow } from './import-table.js';
import { importsOf, type FoundImport } from './imports-of.js';

/** Holds `files` (paths from `root`, with `/`) against the import table. One line per fault: `file:line: what`. */
export async function checkImports(root: string, files: readonly string[]): Promise<readonly string[]> {
  const faults = await Promise.all(
    files.map(async (file) => faultsOf(file, await readFile(join(root, file), 'utf8'))),
  );
  return faults.flat();
}

/** The faults of one file, given its path from the top and its text. */
export function faultsOf(file: string, text: string): readonly string[] {
  const row = IMPORT_TABLE.find(({ files }) => files.test(file));
  if (row === undefined) return [`${file}:1: no row of the import table is about this file`];
  const imports = importsOf(text).flatMap((found) => {
    const refusal = refusalOf(row, file, found);
    return refusal === undefined ? [] : [`${file}:${found.line}: ${row.code} may not import ${refusal}`];
  });
  return [...imports, ...(row.forbidden ?? []).flatMap((word) => usesOf(word, row, file, text))];
}

function refusalOf(row: ImportRow, file: string, found: FoundImport): string | undefined {
  if (!found.specifier.startsWith('.')) {
    return packageAllowed(row, found.specifier) ? undefined : found.specifier;
  }
  const target = normalize(join(dirname(file), found.specifier)).replace(/\.js$/, '.ts');
  const allowed = [
    ...row.project,
    ...(found.typeOnly ? (row.types ?? []) : []),
    ...(found.lazy ? (row.lazily ?? []) : []),
  ];
  if (allowed.some((pattern) => pattern.test(target))) return undefined;
  const sometimes = [...(row.types ?? []), ...(row.lazily ?? [])].some((pattern) => pattern.test(target));
  return sometimes ? `${target} like this (only its types, or lazily by import())` : target;
}

function packageAllowed(row: ImportRow, name: string): boolean {
  return 'only' in row.packages
    ? row.packages.only.some((pattern) => pattern.test(name))
    : !row.packages.not.some((pattern) => pattern.test(name));
}

function usesOf(word: ForbiddenWord, row: ImportRow, file: string, text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(\*|\/\/|\/\*)/.test(line);
    return !isComment && word.pattern.test(line)
      ? [`${file}:${index + 1}: ${row.code} may not use ${word.what}`]
      : [];
  });
}
