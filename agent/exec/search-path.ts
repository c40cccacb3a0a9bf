import { dirname } from 'node:path';

const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where programs are looked for: the usual folders, and last the one that holds the agent's own node. */
export function searchPath(node: string = process.execPath): string {
  const folder = dirname(node);
  return STANDARD_PATH.split(':').includes(folder) ? STANDARD_PATH : `${STANDARD_PATH}:${folder}`;
}
