import { join } from 'node:path';
import type { Disk } from './disk.js';

const KEPT = 200;
const KEPT_MS = 7 * 24 * 3_600_000;

/**
 * Removes the folders of runs that ended long ago: older than 7 days, or beyond the newest 200. Those that stay make
 * the agent refuse a run it has done before. Returns the ids that are still known.
 */
export async function pruneTombstones(disk: Disk, runsFolder: string, now: Date): Promise<readonly string[]> {
  const names = await disk.list(runsFolder);
  const ends = await Promise.all(
    names.map(async (name) => ({ name, endedAt: await endOf(disk, join(runsFolder, name)) })),
  );
  const ended = ends
    .filter((one): one is { name: string; endedAt: number } => one.endedAt !== null)
    .sort((one, other) => other.endedAt - one.endedAt);
  const kept = ended.slice(0, KEPT).filter(({ endedAt }) => now.getTime() - endedAt <= KEPT_MS);
  for (const { name } of ended.filter((one) => !kept.includes(one)))
    await disk.remove(join(runsFolder, name));
  return kept.map(({ name }) => name);
}

async function endOf(disk: Disk, folder: string): Promise<number | null> {
  const bytes = await disk.read(join(folder, 'done'));
  if (bytes === null) return null;
  const at = Date.parse(Buffer.from(bytes).toString());
  return Number.isNaN(at) ? 0 : at;
}
