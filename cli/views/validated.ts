import { formatProblem, type Problem } from '../../controller/fraises/finding.js';
import type { Look } from '../look.js';
import { lines } from './table.js';

/** What `validate` found; `--json` prints exactly this. */
export interface Validated {
  readonly file: string;
  readonly valid: boolean;
  readonly fraises: number;
  readonly environments: number;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** One line a finding, then the verdict. */
export function validated(
  { file, valid, fraises, environments, problems, warnings }: Validated,
  { ink }: Look,
): string {
  const found = problems.map((problem) => `${ink.red('error')}: ${formatProblem(file, problem)}`);
  const doubtful = warnings.map((warning) => `${ink.yellow('warning')}: ${formatProblem(file, warning)}`);
  const verdict = valid
    ? ink.green(`${file} is valid: ${counted(fraises, 'fraise')}, ${counted(environments, 'environment')}`)
    : ink.red(`${file} is not valid: ${counted(problems.length, 'error')}`);
  return lines([...found, ...doubtful, verdict]);
}

function counted(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
