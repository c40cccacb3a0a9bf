import { namedTwice, unreadable, type ReadStatus, type Unreadable } from './told.js';

/** `tool: command`: the last line is `{"revision": "…"|null, "pending": ["id", …]}`, and `irreversible` if it likes. */
export const readCommand: ReadStatus = ([output = '']) => Promise.resolve(readPrinted(output));

function readPrinted(output: string): ReturnType<typeof told> | Unreadable {
  const value = parseObject(output);
  if (value === null) return unreadable('its last line is not a JSON object');
  const { revision, pending, irreversible = [], ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) return unreadable(`it has the key "${other}", which has no meaning`);
  if (revision !== null && typeof revision !== 'string')
    return unreadable('"revision" must be a text or null');
  if (!isListOfIds(pending)) return unreadable('"pending" must be a list of texts that are not empty');
  if (!isListOfIds(irreversible) || irreversible.some((id) => !pending.includes(id)))
    return unreadable('"irreversible" must be a list of some of "pending"');
  if (new Set(pending).size < pending.length) return unreadable('"pending" names a migration twice');
  return told(revision, pending, irreversible);
}

function told(revision: string | null, pending: readonly string[], irreversible: readonly string[]) {
  return { revision: revision ?? '', applied: null, pending, irreversible };
}

/** Of `sql`, a program of our own: the revision is the newest. */
export const readSql: ReadStatus = ([output = '']) => {
  const lists = listsIn(output);
  if ('unreadable' in lists) return Promise.resolve(lists);
  return Promise.resolve({ ...lists, revision: lists.applied.at(-1) ?? '' });
};

/** Of Django's own loader: the revision is the newest of each app. */
export const readDjango: ReadStatus = ([output = '']) => {
  const lists = listsIn(output);
  if ('unreadable' in lists) return Promise.resolve(lists);
  const newest = new Map(lists.applied.map((id) => [id.slice(0, id.indexOf('.')), id]));
  return Promise.resolve({ ...lists, revision: [...newest.values()].toSorted().join(' ') });
};

interface Lists {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly irreversible: readonly string[];
}

function listsIn(output: string): Lists | Unreadable {
  const { applied, pending, irreversible } = parseObject(output) ?? {};
  if (!isListOfIds(applied) || !isListOfIds(pending) || !isListOfIds(irreversible))
    return unreadable('its last line is not an object with the lists applied, pending and irreversible');
  return namedTwice([...applied, ...pending]) ?? { applied, pending, irreversible };
}

/** The last line as a JSON object; null when it is none. */
export function parseObject(output: string): Record<string, unknown> | null {
  const told = output.trimEnd();
  try {
    const value: unknown = JSON.parse(told.slice(told.lastIndexOf('\n') + 1));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function isListOfIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string' && id !== '');
}
