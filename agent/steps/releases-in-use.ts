import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { pathsInUse, processesNaming } from '../exec/process-table.js';
import { layoutOf } from './release-layout.js';

/**
 * The releases below which a process has its folder, its program, an argument or a mapped file, each with the number of
 * one such process. Limit: an agent that is not root does not see all of other users' processes.
 */
export async function releasesInUse(
  target: Pick<Target, 'appPath'>,
  commits: readonly string[],
  now: Date,
): Promise<ReadonlyMap<string, number>> {
  const used = new Map<string, number>();
  if (commits.length === 0) return used;
  const { releases } = layoutOf(target);
  const homes = [...new Set([releases, await realpath(releases).catch(() => releases)])];
  const wanted = homes.flatMap((home) => commits.map((commit) => join(home, commit)));
  for (const process of await processesNaming(wanted, now)) {
    const paths = await pathsInUse(process);
    for (const commit of commits.filter((one) => !used.has(one))) {
      const folders = homes.map((home) => join(home, commit));
      if (paths.some((path) => folders.some((folder) => isIn(path, folder)))) used.set(commit, process.pid);
    }
  }
  return used;
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
