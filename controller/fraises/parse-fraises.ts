import { FraisierError } from '../../proto/error-codes.js';
import { formatProblem } from './finding.js';
import type { Finding, Problem } from './finding.js';
import type { Configuration } from './fraises.js';
import { readYaml } from './read-yaml.js';
import { understandFraises } from './understand-fraises.js';

/** What a file means, or everything that is wrong with it, in the order of its lines. */
export interface CheckedFraises {
  /** Null exactly when there are problems. */
  readonly configuration: Configuration | null;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** More lines than this are counted, not listed, in an error that has to travel; `checkFraises` has them all. */
const MOST_LISTED = 25;

/**
 * Reads the text of a `fraises.yaml`. Pure: `${NAME}` stays as written, so it works without any secret.
 * @returns the configuration, complete, and warnings as `file:line:column: path: message`.
 * @throws FraisierError `invalid_configuration` with one such line for each problem.
 */
export function parseFraises(
  text: string,
  fileName: string,
): { readonly configuration: Configuration; readonly warnings: readonly string[] } {
  const { configuration, problems, warnings } = checkFraises(text);
  if (configuration === null) throw invalid(problems, fileName);
  return { configuration, warnings: warnings.map((one) => formatProblem(fileName, one)) };
}

function invalid(problems: readonly Problem[], fileName: string): FraisierError {
  const lines = problems.slice(0, MOST_LISTED).map((one) => formatProblem(fileName, one));
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`… and ${more} more`);
  return new FraisierError('invalid_configuration', lines.join('\n'), {
    hint: `fraisier validate ${fileName}`,
    facts: { problems: String(problems.length) },
  });
}

/** As `parseFraises`, with problems as data: for `validate --json`. Never throws. */
export function checkFraises(text: string): CheckedFraises {
  const file = readYaml(text);
  if (!file.readable) return { configuration: null, problems: file.problems, warnings: [] };
  const { configuration, findings } = understandFraises(file.value);
  const located = (severity: Finding['severity']) =>
    findings
      .filter((one) => one.severity === severity)
      .map(file.locate)
      .sort((a, b) => a.line - b.line || a.column - b.column);
  const problems = located('error');
  return {
    configuration: problems.length > 0 ? null : configuration,
    problems,
    warnings: located('warning'),
  };
}
