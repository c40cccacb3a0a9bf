import { mkdir, open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { FraisierError } from '../proto/error-codes.js';
import { ownUser } from './exec/users.js';
import type { HostUser } from './exec/users.js';

/** What `policy.yaml` on the host allows. Everything that is not listed is refused. */
export interface Policy {
  /** Where it was read from, for messages. */
  readonly file: string;
  readonly repositories: readonly string[];
  readonly paths: readonly string[];
  readonly units: readonly string[];
  readonly users: readonly string[];
  /** Command lines as one string each; `*` at the end of a word matches the rest of it, a last word `**` any more words. */
  readonly commands: readonly string[];
}

/** The keys of the file, in the order in which they are written. */
export const POLICY_KEYS = ['repositories', 'paths', 'units', 'users', 'commands'] as const;
export type PolicyKey = (typeof POLICY_KEYS)[number];

/**
 * Reads the host's policy. A file that is absent or empty allows nothing.
 * Throws FraisierError `policy_refused` when others than root (or a non-root agent's own user) own it or could write to it,
 * and `invalid_configuration` with file:line:column when it is not what it must be.
 */
export async function loadPolicy(file: string, own: Pick<HostUser, 'uid'> = ownUser()): Promise<Policy> {
  const text = await readTrusted(file, own);
  return text === null ? { file, ...listsOf({}) } : parsePolicy(text, file);
}

/** Null when there is no file. Owner and content are those of the same open file. */
async function readTrusted(file: string, own: Pick<HostUser, 'uid'>): Promise<string | null> {
  const handle = await open(file).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new FraisierError('policy_refused', `${file} cannot be read: nothing is allowed here`, {
      cause: error,
    });
  });
  if (handle === null) return null;
  try {
    await mustBeTrusted(handle, file, own);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

async function mustBeTrusted(handle: FileHandle, file: string, own: Pick<HostUser, 'uid'>): Promise<void> {
  const { uid, mode } = await handle.stat();
  if (uid !== 0 && uid !== own.uid) {
    throw new FraisierError(
      'policy_refused',
      `${file} belongs to uid ${uid}, not to root: nothing is allowed here`,
      {
        hint: `sudo chown root ${file}`,
      },
    );
  }
  if ((mode & 0o022) !== 0) {
    throw new FraisierError(
      'policy_refused',
      `${file} can be written by others than its owner: nothing is allowed here`,
      {
        hint: `sudo chmod go-w ${file}`,
      },
    );
  }
}

/** Strict: a mapping of the five lists; anything else is an error with its place. */
export function parsePolicy(text: string, file: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) throw invalid(file, `${placeOf(lines, broken.pos[0])}: ${broken.message}`);
  const content: unknown = document.toJS() ?? {};
  if (!isMapping(content)) throw invalid(file, ': it must be keys with lists');
  for (const [key, value] of Object.entries(content)) {
    const at = placeOf(lines, offsetOf(document.get(key, true)));
    if (!isPolicyKey(key))
      throw invalid(file, `${at}: unknown key ${key}; allowed are ${POLICY_KEYS.join(', ')}`);
    if (value !== null && !isListOfText(value)) throw invalid(file, `${at}: ${key} must be a list of texts`);
  }
  return { file, ...listsOf(content) };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function offsetOf(node: unknown): number {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null;
  return Array.isArray(range) ? Number(range[0]) : 0;
}

function placeOf(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `:${line}:${col}`;
}

function invalid(file: string, what: string): FraisierError {
  return new FraisierError('invalid_configuration', `${file}${what}`);
}

function isPolicyKey(key: string): key is PolicyKey {
  return POLICY_KEYS.some((known) => known === key);
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && one.trim() !== '');
}

function listsOf(content: object): Readonly<Record<PolicyKey, readonly string[]>> {
  const list = (key: PolicyKey): readonly string[] => {
    const value: unknown = Object.entries(content).find(([found]) => found === key)?.[1];
    return isListOfText(value) ? value.map((one) => one.trim()) : [];
  };
  return {
    repositories: list('repositories'),
    paths: list('paths'),
    units: list('units'),
    users: list('users'),
    commands: list('commands'),
  };
}

export type PolicyAdditions = Partial<Readonly<Record<PolicyKey, readonly string[]>>>;

const HEADER = ` What Fraisier's agent may do on this host, on behalf of its controller. Everything that is not listed is refused.
 Keys: repositories, paths, units, users, commands; each a list. \`fraisier agent allow\` adds to it.`;

/**
 * Adds what is not there yet and keeps the rest with its comments; makes the file (and its folder) when there is none.
 * The file is replaced as a whole, mode 0644. Returns what was added. Throws as `loadPolicy` does.
 */
export async function addToPolicy(file: string, additions: PolicyAdditions): Promise<PolicyAdditions> {
  const text = (await readTrusted(file, ownUser())) ?? '';
  const policy = parsePolicy(text, file);
  const document: Document = parseDocument(text);
  if (text === '') document.commentBefore = HEADER;
  const added: Partial<Record<PolicyKey, readonly string[]>> = {};
  for (const key of POLICY_KEYS) {
    const missing = [...new Set(additions[key])].filter((value) => !policy[key].includes(value));
    if (missing.length === 0) continue;
    if (policy[key].length === 0) document.set(key, document.createNode(missing));
    else for (const value of missing) document.addIn([key], value);
    added[key] = missing;
  }
  if (Object.keys(added).length > 0) await replaceFile(file, parsedAgain(document.toString(), file));
  return added;
}

/** What is written must be readable by `loadPolicy`, or it is not written. */
function parsedAgain(text: string, file: string): string {
  parsePolicy(text, file);
  return text;
}

async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const beside = `${file}.new`;
  const handle = await open(beside, 'w', 0o644);
  try {
    await handle.chmod(0o644);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}
