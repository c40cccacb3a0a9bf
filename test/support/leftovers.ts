import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface Leftover {
  readonly pid: number;
  readonly argv: string;
}

/**
 * Processes that run in `folder` or name it in their arguments, without this process and its ancestors. Sees what
 * `/proc` shows to this user; on a system without `/proc` it sees nothing.
 */
export async function processesBelow(folder: string): Promise<readonly Leftover[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const own = await ancestors(process.pid);
  const seen = await Promise.all(pids.filter((pid) => !own.has(pid)).map((pid) => look(pid, folder)));
  return seen.filter((found) => found !== undefined);
}

/** SIGKILL to everything that still runs below `folder`; returns what that was. Throws when 10 s are not enough. */
export async function killProcessesBelow(folder: string): Promise<readonly Leftover[]> {
  const all = new Map<number, Leftover>();
  const deadline = Date.now() + 10_000;
  for (let left = await processesBelow(folder); left.length > 0; left = await processesBelow(folder)) {
    if (Date.now() > deadline) throw new Error(`cannot be ended: ${left.map(({ argv }) => argv).join('; ')}`);
    for (const found of left) {
      all.set(found.pid, found);
      killIfThere(found.pid);
    }
    await new Promise((later) => setTimeout(later, 20));
  }
  return [...all.values()];
}

async function look(pid: number, folder: string): Promise<Leftover | undefined> {
  const argv = (await readFile(join('/proc', String(pid), 'cmdline'), 'utf8').catch(() => ''))
    .replaceAll('\0', ' ')
    .trim();
  const cwd = await readlink(join('/proc', String(pid), 'cwd')).catch(() => '');
  const state = await readFile(join('/proc', String(pid), 'stat'), 'utf8').catch(() => ') Z');
  const isZombie = /\) Z/.test(state);
  const below = cwd === folder || cwd.startsWith(`${folder}/`) || argv.includes(`${folder}/`);
  return below && !isZombie ? { pid, argv } : undefined;
}

async function ancestors(from: number): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  for (let pid = from; pid > 1 && !found.has(pid);) {
    found.add(pid);
    const stat = await readFile(join('/proc', String(pid), 'stat'), 'utf8').catch(() => '');
    pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return found;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
