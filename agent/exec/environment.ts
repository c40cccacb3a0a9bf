import { readFile } from 'node:fs/promises';
import type { ExecSpec } from './exec.js';
import { searchPath } from './search-path.js';
import { findUser, ownUser } from './users.js';
import type { HostUser } from './users.js';

/** Who a command runs as and with what, or why it cannot. `asOther`: another user than the agent's own. */
export type Surroundings =
  | {
      readonly usable: true;
      readonly user: HostUser;
      readonly asOther: boolean;
      /** PATH, HOME, LANG and the like: what every command gets. */
      readonly minimal: Readonly<Record<string, string>>;
      /** Everything: minimal, then the host's file, then the spec's own, the later winning. */
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly usable: false; readonly message: string };

/** Looks up the spec's user and reads its environment file. Values are returned, never logged or put into a message. */
export async function surroundingsOf(spec: ExecSpec): Promise<Surroundings> {
  const own = ownUser();
  const asOther = spec.user !== null && spec.user !== own.name;
  if (asOther && own.uid !== 0) {
    return unusable(`the agent runs as ${own.name} and must be root to run a command as ${spec.user}`);
  }
  const user = asOther ? await findUser(spec.user) : own;
  if (user === null) return unusable(`there is no user ${spec.user} on this host`);
  const file = spec.environmentFile === null ? {} : await environmentFileAt(spec.environmentFile);
  if (file === null) return unusable(`the environment file ${spec.environmentFile} cannot be read`);
  const minimal = minimalEnvironment(user);
  return { usable: true, user, asOther, minimal, environment: { ...minimal, ...file, ...spec.environment } };
}

/** What a command of this user gets before anything else. The agent's own environment is not handed on. */
export function minimalEnvironment(user: HostUser): Record<string, string> {
  return { PATH: searchPath(), HOME: user.home, LANG: 'C.UTF-8', USER: user.name, LOGNAME: user.name };
}

async function environmentFileAt(file: string): Promise<Record<string, string> | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : parseEnvironmentFile(text);
}

function unusable(message: string): Surroundings {
  return { usable: false, message };
}

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
