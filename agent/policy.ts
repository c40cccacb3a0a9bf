import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import { FraisierError } from '../proto/error-codes.js';
import { ownUser } from './exec/users.js';
import type { HostUser } from './exec/users.js';
import { parseRepositoryEntry } from './repository-entry.js';
import type { RepositoryCredential } from './repository-entry.js';

/** What `policy.yaml` on the host allows. Everything that is not listed is refused. */
export interface Policy {
  /** Where it was read from, for messages. */
  readonly file: string;
  readonly repositories: readonly string[];
  /** Of the repositories, those that say how to get at them; absent: none does. */
  readonly credentials?: readonly RepositoryCredential[];
  readonly paths: readonly string[];
  readonly units: readonly string[];
  /** Units whose files may come from a repository: root runs what they say. */
  readonly unit_files: readonly string[];
  readonly users: readonly string[];
  /** Command lines as one string each; `*` at the end of a word matches the rest of it, a last word `**` any more words. */
  readonly commands: readonly string[];
}

/** The keys of the file, in the order in which they are written. */
export const POLICY_KEYS = ['repositories', 'paths', 'units', 'unit_files', 'users', 'commands'] as const;
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

/** The text of a policy file; null when there is none. Owner and content are those of the same open file. */
export async function readTrusted(file: string, own: Pick<HostUser, 'uid'>): Promise<string | null> {
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
    if (key === 'repositories' && Array.isArray(value)) mustBeRepositories(value, file, at);
    else if (value !== null && !isListOfText(value))
      throw invalid(file, `${at}: ${key} must be a list of texts`);
  }
  const credentials = credentialsOf(content['repositories']);
  return { file, ...listsOf(content), ...(credentials.length === 0 ? {} : { credentials }) };
}

/** Texts, or maps that also say how to get at a repository. */
function mustBeRepositories(entries: readonly unknown[], file: string, at: string): void {
  for (const entry of entries) {
    const fault = isMapping(entry)
      ? parseRepositoryEntry(entry)
      : isText(entry)
        ? ''
        : 'must be a list of texts';
    if (typeof fault === 'string' && fault !== '') throw invalid(file, `${at}: repositories: ${fault}`);
  }
}

function credentialsOf(entries: unknown): readonly RepositoryCredential[] {
  const maps = Array.isArray(entries) ? entries.filter(isMapping) : [];
  return maps.map(parseRepositoryEntry).filter((entry) => typeof entry !== 'string');
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
  return Array.isArray(value) && value.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function listsOf(content: object): Readonly<Record<PolicyKey, readonly string[]>> {
  const list = (key: PolicyKey): readonly string[] => {
    const value: unknown = Object.entries(content).find(([found]) => found === key)?.[1];
    const texts = Array.isArray(value) ? value.map((one) => (isMapping(one) ? one['url'] : one)) : value;
    return isListOfText(texts) ? texts.map((one) => one.trim()) : [];
  };
  return {
    repositories: list('repositories'),
    paths: list('paths'),
    units: list('units'),
    unit_files: list('unit_files'),
    users: list('users'),
    commands: list('commands'),
  };
}
