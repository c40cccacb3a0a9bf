import { filesWithoutWayDown } from './files-without-way-down.js';
import { linesOf, namedTwice, unreadable, type ReadStatus, type Told, type Unreadable } from './told.js';

/** `knex migrate:list`: the completed in the order in which they were run, then the pending; each list has a headline. */
export const readKnex: ReadStatus = async ([output = ''], { directory, read }) => {
  const lists = listsIn(output);
  if ('unreadable' in lists) return lists;
  const { applied, pending } = lists;
  const irreversible = await filesWithoutWayDown(
    'knex',
    pending,
    directory === '' ? 'migrations' : directory,
    read,
  );
  if ('unreadable' in irreversible) return irreversible;
  return { revision: applied.at(-1) ?? '', applied, pending, irreversible: irreversible.names };
};

const COMPLETED = /^(?:No Completed Migration files Found|Found (\d+) Completed Migration file\/files)\.$/;
const PENDING = /^(?:No Pending Migration files Found|Found (\d+) Pending Migration file\/files)\.$/;

function listsIn(
  output: string,
): (Pick<Told, 'pending'> & { readonly applied: readonly string[] }) | Unreadable {
  const lines = linesOf(output);
  const completedAt = lines.findIndex((line) => COMPLETED.test(line));
  const pendingAt = lines.findIndex((line) => PENDING.test(line));
  if (completedAt < 0 || pendingAt < completedAt) {
    return unreadable('it has no list of completed and then one of pending migrations');
  }
  const applied = listed(lines.slice(completedAt, pendingAt), COMPLETED);
  const pending = listed(lines.slice(pendingAt), PENDING);
  if (applied === null || pending === null) return unreadable('a list is not as long as its headline says');
  return namedTwice([...applied, ...pending]) ?? { applied, pending };
}

/** Null unless exactly as many names follow as the headline says. */
function listed([headline = '', ...rest]: readonly string[], form: RegExp): readonly string[] | null {
  const names = rest.filter((line) => line !== '');
  const count = Number(form.exec(headline)?.[1] ?? 0);
  return names.length === count && names.every((name) => /^[^\s/]+$/.test(name)) ? names : null;
}
