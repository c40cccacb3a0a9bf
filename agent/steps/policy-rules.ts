import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Policy, PolicyKey } from '../policy.js';

/** Something the policy does not allow: what it is, and the value to list under which key. */
export interface Refusal {
  readonly key: PolicyKey;
  readonly what: string;
  readonly value: string;
}

/** A repository: listed as it is, or by a beginning followed by `*`. */
export function mayUseRepository(policy: Policy, repository: string): Refusal | null {
  const wanted = repository.trim();
  const allowed = policy.repositories.some((listed) => matchesRepository(listed, wanted));
  return allowed ? null : { key: 'repositories', what: 'the repository', value: wanted };
}

/** Whether the address is the listed one, or has its beginning. */
export function matchesRepository(listed: string, address: string): boolean {
  return listed.endsWith('*') ? beginsPlainlyWith(address, listed.slice(0, -1)) : address === listed;
}

/** `..` and escapes in an address are resolved by others than us, so a beginning says nothing about such a one. */
function beginsPlainlyWith(address: string, beginning: string): boolean {
  return address.startsWith(beginning) && !address.includes('..') && !/[%\\\s]/.test(address);
}

/** A path: a listed folder, or something below it. Not absolute or with `..` in it, it is refused whatever is listed. */
export function mayUsePath(policy: Policy, path: string): Refusal | null {
  const parts = path.split('/');
  const plain = path.startsWith('/') && !parts.includes('..') && !parts.includes('.') && !path.includes('\0');
  const wanted = withoutSlash(path);
  const allowed = policy.paths
    .map(withoutSlash)
    .some((listed) => wanted === listed || wanted.startsWith(`${listed}/`));
  return plain && allowed ? null : { key: 'paths', what: 'the path', value: wanted };
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '');
}

/** A unit by its name; without a suffix it means the service. */
export function mayUseUnit(policy: Policy, unit: string): Refusal | null {
  const allowed = policy.units.some((listed) => fullUnitName(listed) === fullUnitName(unit));
  return allowed ? null : { key: 'units', what: 'the unit', value: fullUnitName(unit) };
}

/** A unit whose file comes from the repository: by its name, in which one `*` stands for anything. */
export function mayInstallUnit(policy: Policy, unit: string): Refusal | null {
  const allowed =
    !unit.includes('/') &&
    policy.unit_files.some((listed) => matchesUnit(fullUnitName(listed), fullUnitName(unit)));
  return allowed ? null : { key: 'unit_files', what: 'installing the file of', value: fullUnitName(unit) };
}

function matchesUnit(pattern: string, unit: string): boolean {
  const [before = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === unit;
  const after = rest.join('*');
  return unit.length >= before.length + after.length && unit.startsWith(before) && unit.endsWith(after);
}

/** `hello` as `hello.service`; a name with a suffix as it is. */
export function fullUnitName(unit: string): string {
  return /\.[a-z]+$/.test(unit) ? unit : `${unit}.service`;
}

/** Who commands may run as. An agent that is not root can only ever be itself, which needs no line. */
export function mayUseUser(
  policy: Policy,
  user: string,
  own: { readonly name: string; readonly uid: number },
): Refusal | null {
  const itself = own.uid !== 0 && (user === '' || user === own.name);
  const wanted = user === '' ? own.name : user;
  return itself || policy.users.includes(wanted)
    ? null
    : { key: 'users', what: 'running commands as', value: wanted };
}

/** A command line, word by word: `*` at the end of a word matches the rest of it, a last word `**` any more words. */
export function mayRunCommand(policy: Policy, argv: readonly string[]): Refusal | null {
  const allowed = policy.commands.some((listed) => matches(splitWords(listed), argv));
  return allowed ? null : { key: 'commands', what: 'the command', value: joinWords(argv) };
}

/** A command line of which the last `count` words are not known yet: whatever they are, it must be allowed. */
export function mayRunWithAny(policy: Policy, argv: readonly string[], count: number): Refusal | null {
  const any = Array.from({ length: count }, () => UNGUESSABLE);
  if (mayRunCommand(policy, [...argv, ...any]) === null) return null;
  const value = [joinWords(argv), ...any.map(() => '*')].join(' ');
  return { key: 'commands', what: 'the command', value };
}

/** No list names it, so only a star lets it pass. */
const UNGUESSABLE = '\u0001';

interface Word {
  readonly text: string;
  /** In quotes a star is a star. */
  readonly quoted: boolean;
}

function matches(pattern: readonly Word[], argv: readonly string[]): boolean {
  const last = pattern.at(-1);
  const open = last !== undefined && last.text === '**' && !last.quoted;
  const fixed = open ? pattern.slice(0, -1) : pattern;
  if (fixed.length === 0 || (!open && argv.length > fixed.length)) return false;
  return fixed.every((word, at) => matchesWord(word, argv[at]));
}

function matchesWord({ text, quoted }: Word, word: string | undefined): boolean {
  if (word === undefined) return false;
  return !quoted && text.endsWith('*') ? word.startsWith(text.slice(0, -1)) : text === word;
}

/** Words of a listed command: separated by spaces; single or double quotes hold one together. */
function splitWords(line: string): readonly Word[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) => ({
    text: word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
    quoted: /['"]/.test(word),
  }));
}

/** The line that `splitWords` takes apart again into exactly these words. */
function joinWords(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

/** As one word of a shell. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  if (word.includes("'") && !/["$`\\!]/.test(word)) return `"${word}"`;
  return word
    .split("'")
    .map((part) => `'${part}'`)
    .join(`"'"`);
}

/** All refusals as one reason: what to add where, and the one command that adds it. Null when there are none. */
export function policyReason(policy: Policy, refusals: readonly Refusal[]): Reason | null {
  const distinct = [
    ...new Map(refusals.map((refusal) => [`${refusal.key} ${refusal.value}`, refusal])).values(),
  ];
  if (distinct.length === 0) return null;
  const hint = allowCommand(policy, distinct);
  const what = distinct.map(
    ({ key, what, value }) => `${what} ${value} (add the line "- ${yamlText(value)}" under "${key}:")`,
  );
  return reason('policy_refused', `${policy.file} does not allow ${what.join(', ')}; or run: ${hint}`, {
    hint,
    facts: {
      policy: policy.file,
      ...Object.fromEntries(distinct.map(({ key, value }, at) => [`refused_${at + 1}`, `${key}: ${value}`])),
    },
  });
}

const FLAGS: Record<PolicyKey, string> = {
  repositories: '--repository',
  paths: '--path',
  units: '--unit',
  unit_files: '--unit-file',
  users: '--user',
  commands: '--command',
};

const USUAL_FILE = '/etc/fraisier/policy.yaml';

function allowCommand(policy: Policy, refusals: readonly Refusal[]): string {
  return allowLine(
    policy,
    refusals.map(({ key, value }) => `${FLAGS[key]} ${quoteWord(value)}`),
  );
}

/** The command that adds to this policy what the flags say; they are quoted already. */
export function allowLine(policy: Pick<Policy, 'file'>, flags: readonly string[]): string {
  if (policy.file === USUAL_FILE) return `sudo fraisier agent allow ${flags.join(' ')}`;
  const sudo = policy.file.startsWith('/etc/') ? 'sudo ' : '';
  return `${sudo}fraisier agent allow --policy ${quoteWord(policy.file)} ${flags.join(' ')}`;
}

/** As one entry of a YAML list. */
function yamlText(value: string): string {
  return /^[A-Za-z0-9/][A-Za-z0-9/._@+=: -]*$/.test(value) && !/: |:$| $/.test(value)
    ? value
    : JSON.stringify(value);
}
