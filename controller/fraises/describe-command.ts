import type { CommandLine } from './fraises.js';

/** A command as text; a shell string is always quoted, so that it differs from the same words as a list. */
export function commandText(line: CommandLine): string {
  return 'argv' in line ? words(line.argv) : JSON.stringify(line.shell);
}

/** Words as they are, those that would run together in JSON's quotes. */
export function words(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}
