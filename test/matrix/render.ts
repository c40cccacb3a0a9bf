import type { Told } from './mocha.js';
import { ROWS, rowsOf } from './rows.js';

/** What there is to tell of: all tests, and the whole matrices of rows 1 and 2. */
export interface Played {
  readonly tests: readonly Told[];
  readonly cuts: readonly Told[];
  readonly deaths: readonly Told[];
}

/** The page in docs/: what shows each row, and how every cut and every death ended. */
export function render({ tests, cuts, deaths }: Played): string {
  return `# The fault matrix

Written by \`npm run test:matrix\`, which plays every cut and every death below; do not edit. \`npm test\` and \`npm run test:fleet\` play all
rows, and of rows 1 and 2 a sample drawn by a seed that they print.

| row | what happens | shown by |
| --: | --- | --- |
${ROWS.map((what, index) => rowOf(index + 1, what, tests)).join('\n')}

## Row 1, whole: ${countOf(cuts)}

A deployment by a real controller and a real agent, with a relay between them that breaks both connections before it passes a message on, or
once the other side has it. The agent dials again by itself. Afterwards the commit is live, every step was done once, the record tells
each event once and in order, every line of output is there once. The rest is for what else the two say to each other (a question, a
cancelled deployment, a controller that is stopped, a run that is refused, a certificate that is renewed), and for command lines, whose
connection is cut at every message.

${table('cut', cuts)}

## Row 2, whole: ${countOf(deaths)}

A deployment of a real service by real programs, with nothing but SIGKILL and a restart. Afterwards the commit is live, the migration was begun
once, every line of output is there once and in order. An agent that dies between writing down that it begins a migration and beginning
it pauses the deployment: nobody can know, so a person is asked.

${table('death', deaths)}
`;
}

function countOf(all: readonly Told[]): string {
  return `${all.filter(({ passed }) => passed).length} of ${all.length}`;
}

function table(what: string, all: readonly Told[]): string {
  const lines = all.map(
    ({ title, passed }) => `| ${title} | ${passed ? 'as it must' : '**not as it must**'} |`,
  );
  return [`| ${what} | |`, '| --- | --- |', ...lines].join('\n');
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
