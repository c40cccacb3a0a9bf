/**
 * Reads `KEY=value` lines as systemd's EnvironmentFile= does: comments with # or ;, single quotes literal, double quotes
 * with backslash before " \ ` $, a backslash outside quotes keeps the next character (at the end of a line: joins it),
 * spaces around an unquoted value do not count. Lines without a valid name are passed over. Nothing is expanded.
 */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  let at = 0;
  while (at < text.length) {
    const name = /^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/.exec(text.slice(at, at + 4096));
    if (name?.[1] === undefined) {
      at = endOfLine(text, at) + 1;
      continue;
    }
    const read = readValue(text, at + name[0].length);
    values[name[1]] = read.value;
    at = read.next;
  }
  return values;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

/** One value from `at` to the end of its line, quotes and continuations taken in. */
function readValue(text: string, start: number): { readonly value: string; readonly next: number } {
  let value = '';
  let kept = 0; // up to here a trailing space belongs to the value
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === '' && char === '\n') break;
    if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === '\\' && quote !== "'") {
      at++;
      value += unescaped(text.charAt(at), quote);
    } else {
      value += char;
      if (quote === '' && /\s/.test(char)) continue;
    }
    kept = value.length;
  }
  return { value: value.slice(0, kept), next: at + 1 };
}

function unescaped(char: string, quote: string): string {
  if (char === '\n') return '';
  return quote === '' || '"\\`$'.includes(char) ? char : `\\${char}`;
}

/** The same values as a file that systemd reads back unchanged. */
export function formatEnvironmentFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value.replace(/["\\`$]/g, '\\$&')}"\n`)
    .join('');
}
