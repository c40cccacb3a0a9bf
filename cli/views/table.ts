import Table from 'cli-table3';
import type { Look } from '../look.js';

const BORDERLESS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((part) => [part, '']),
);

/** Aligned columns without borders, two spaces apart, no trailing blanks; ends with a line break. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { ink }: Pick<Look, 'ink'>,
): string {
  const grid = new Table({
    head: head.map((word) => ink.bold(word)),
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  grid.push(...rows.map((row) => [...row]));
  return lines(grid.toString().split('\n'));
}

/** Names and values under each other, as `show` prints them. Values that are empty are left out. */
export function fields(pairs: readonly (readonly [string, string])[], indent = '  '): string {
  const said = pairs.filter(([, value]) => value !== '');
  const width = Math.max(0, ...said.map(([name]) => name.length));
  return lines(said.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`));
}

/** Lines as one text, each ended, none with blanks at its end. */
export function lines(all: readonly string[]): string {
  return all.map((line) => `${line.replace(/\s+$/, '')}\n`).join('');
}
