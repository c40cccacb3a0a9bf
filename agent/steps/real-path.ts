import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where an absolute path really is, links followed; one that is not there yet is where its nearest folder is. */
export async function realPath(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null);
  return real ?? join(await realPath(dirname(path)), path.slice(dirname(path).length));
}
