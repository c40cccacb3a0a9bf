import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { killProcessesBelow } from '../../support/leftovers.js';
import { mustRun } from '../../support/run-command.js';

/** Every lab's folder is called `<LABS><pid of its owner>-…`. */
export const LABS = 'fraisier-lab-';

/** Names of network namespaces of the lab in `folder` begin with this. */
export function namespacePrefix(folder: string): string {
  return `fraisier-${basename(folder).slice(LABS.length)}-`;
}

/** Ends every process, mount and namespace of the lab in `folder` and removes it. Works on half-made labs, and twice. */
export async function takeDown(folder: string): Promise<void> {
  const prefix = namespacePrefix(folder);
  const namespaces = (await readdir('/run/netns').catch(() => [])).filter((name) => name.startsWith(prefix));
  for (const name of namespaces) {
    const inside = await mustRun(['ip', 'netns', 'pids', name]);
    for (const pid of inside.split('\n').filter((line) => line !== '')) killQuietly(Number(pid));
  }
  await killProcessesBelow(folder);
  for (const mount of await mountsBelow(folder)) await mustRun(['umount', '--lazy', mount]);
  for (const name of namespaces) await mustRun(['ip', 'netns', 'delete', name]);
  await rm(folder, { recursive: true, force: true });
}

/** Takes down what owners that are gone have left in `temporary`. */
export async function takeDownOrphans(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const owner = Number(name.startsWith(LABS) ? name.slice(LABS.length).split('-')[0] : Number.NaN);
    if (owner > 0 && !isRunning(owner)) await takeDown(join(temporary, name));
  }
}

/** What is left of a lab, in words; empty when nothing is. */
export async function leftOf(folder: string): Promise<readonly string[]> {
  const prefix = namespacePrefix(folder);
  const namespaces = (await readdir('/run/netns').catch(() => [])).filter((name) => name.startsWith(prefix));
  const names = await readdir(dirname(folder));
  const rest = names.includes(basename(folder)) ? [`folder ${folder}`] : [];
  return [
    ...(await mountsBelow(folder)).map((mount) => `mount ${mount}`),
    ...namespaces.map((name) => `namespace ${name}`),
    ...rest,
  ];
}

/** Deepest first. */
async function mountsBelow(folder: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const points = lines.map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return points
    .filter((point) => point.startsWith(`${folder}/`))
    .sort((one, other) => other.length - one.length);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
