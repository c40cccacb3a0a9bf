import type { Told } from './mocha.js';
import { ROWS, rowsOf } from './rows.js';

/** The page in docs/: what shows each row, and how every death ended. */
export function render(tests: readonly Told[], deaths: readonly Told[]): string {
  const passed = deaths.filter((one) => one.passed).length;
  return `# The fault matrix

Written by \`npm run test:matrix\`, which plays every death below; do not edit. \`npm test\` and \`npm run test:fleet\` play all rows, and of
row 2 a sample drawn by a seed that they print.

| row | what happens | shown by |
| --: | --- | --- |
${ROWS.map((what, index) => rowOf(index + 1, what, tests)).join('\n')}

## Row 2, whole: ${passed} of ${deaths.length}

A deployment of a real service by real programs, with nothing but SIGKILL and a restart. Afterwards the commit is live, the migration was begun
once, every line of output is there once and in order. An agent that dies between writing down that it begins a migration and beginning
it pauses the deployment: nobody can know, so a person is asked.

| death | |
| --- | --- |
${deaths.map(({ title, passed: is }) => `| ${title} | ${is ? 'as it must' : '**not as it must**'} |`).join('\n')}
`;
}

function rowOf(row: number, what: string, tests: readonly Told[]): string {
  const mine = tests.filter(({ fullTitle }) => rowsOf(fullTitle).includes(row));
  const shown = new Map<string, number>();
  for (const { file, title, fullTitle } of mine) {
    const named = rowsOf(title).includes(row) ? title : suiteOf({ title, fullTitle }, row);
    const key = `\`test/${file}.ts\`: ${named.replace(/ ?\(row \d+\)|^row \d+: /g, '').replaceAll('|', '\\|')}`;
    shown.set(key, (shown.get(key) ?? 0) + 1);
  }
  const lines = [...shown].map(([key, count]) => (count === 1 ? key : `${key} (${count} tests)`));
  return `| ${row} | ${what} | ${lines.join('<br>')} |`;
}

/** Up to where the row is named. */
function suiteOf({ title, fullTitle }: Pick<Told, 'title' | 'fullTitle'>, row: number): string {
  const suite = fullTitle.slice(0, fullTitle.length - title.length).trim();
  return suite.slice(0, suite.lastIndexOf(`(row ${row})`)).trim();
}
