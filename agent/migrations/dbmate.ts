import { filesWithoutWayDown } from './files-without-way-down.js';
import { parseObject } from './printed.js';
import { linesOf, namedTwice, unreadable, type ReadStatus, type Told, type Unreadable } from './told.js';

/**
 * `dbmate status`: `[X] file` or `[ ] file` a line, then the two sums; and which versions are recorded, also those without
 * a file (null where the database is not PostgreSQL: then only those with a file are seen).
 */
export const readDbmate: ReadStatus = async ([output = '', second = ''], { directory, read }) => {
  const files = filesIn(output);
  if ('unreadable' in files) return files;
  const recorded = recordedIn(second);
  if (recorded !== null && 'unreadable' in recorded) return recorded;
  const { pending } = files;
  const irreversible = await filesWithoutWayDown(
    'dbmate',
    pending,
    directory === '' ? 'db/migrations' : directory,
    read,
  );
  if ('unreadable' in irreversible) return irreversible;
  const applied = recorded === null ? files.applied : withForeign(files.applied, recorded.versions);
  const revision = applied.toSorted().at(-1) ?? '';
  return { revision, applied, pending, irreversible: irreversible.names };
};

function filesIn(
  output: string,
): (Pick<Told, 'pending'> & { readonly applied: readonly string[] }) | Unreadable {
  const lines = linesOf(output).filter((line) => line !== '');
  const marked = lines.slice(0, -2).map((line) => /^\[([X ])\] (\d+\S*)$/.exec(line));
  if (marked.includes(null)) return unreadable('a line is neither "[X] file" nor "[ ] file"');
  const named = (mark: string) => marked.filter((one) => one?.[1] === mark).map((one) => one?.[2] ?? '');
  const [applied, pending] = [named('X'), named(' ')];
  const sums = [`Applied: ${applied.length}`, `Pending: ${pending.length}`];
  if (lines.slice(-2).join() !== sums.join()) return unreadable('its sums are not those of its lines');
  return namedTwice([...applied, ...pending]) ?? { applied, pending };
}

function recordedIn(output: string): { readonly versions: readonly string[] } | Unreadable | null {
  const told = parseObject(output)?.['recorded'];
  if (told === null) return null;
  if (!Array.isArray(told) || !told.every((one) => typeof one === 'string')) {
    return unreadable('the list of recorded versions cannot be used');
  }
  return { versions: told };
}

/** Files by their names; what is recorded and has no file, by its version. */
function withForeign(files: readonly string[], versions: readonly string[]): readonly string[] {
  const known = new Set(files.map((file) => /^\d+/.exec(file)?.[0]));
  return [...files, ...versions.filter((version) => !known.has(version))];
}
