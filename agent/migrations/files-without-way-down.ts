import { join } from 'node:path';
import { unreadable, type ReadText, type Unreadable } from './told.js';
import { hasNoWayDown } from './ways-down.js';

/** Those of the pending files whose text shows no way down. A file that cannot be found is no answer: nothing is guessed. */
export async function filesWithoutWayDown(
  tool: string,
  names: readonly string[],
  folder: string,
  read: ReadText,
): Promise<{ readonly names: readonly string[] } | Unreadable> {
  const found: string[] = [];
  for (const name of names) {
    const text = await read(join(folder, name));
    if (text === null)
      return unreadable(`the pending ${name} is not in ${folder} (say database: { directory })`);
    if (hasNoWayDown(tool, text)) found.push(name);
  }
  return { names: found };
}
