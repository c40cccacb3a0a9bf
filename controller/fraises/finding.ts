/** Where in the file: keys and list positions from the top. */
export type Path = readonly (string | number)[];

/** Something about the file that a person should know, before it has a line and a column. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly path: Path;
  /** What to point at where the path exists: its key, or (the usual) its value. */
  readonly at: 'key' | 'value';
  readonly message: string;
}

/** A finding as it is shown and as `validate --json` prints it. Line and column count from 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** `fraises.checkout.environments.production.hosts[0]`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what is allowed. Never holds a secret. */
  readonly message: string;
}

/** Something that makes the whole file refused. */
export function error(path: Path, message: string, at: Finding['at'] = 'value'): Finding {
  return { severity: 'error', path, at, message };
}

/** Something that is said and changes nothing. */
export function warning(path: Path, message: string, at: Finding['at'] = 'value'): Finding {
  return { severity: 'warning', path, at, message };
}

/** `hosts.web-1.labels`, `branch_mapping.main[0]`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('');
}

/** `file:line:column: path: message`, on one line. */
export function formatProblem(fileName: string, problem: Problem): string {
  const where = `${fileName}:${problem.line}:${problem.column}`;
  const what = problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
  return `${where}: ${what}`.replaceAll(/\p{Cc}+/gu, ' ');
}
