import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseProcessLine } from './processes.js';

/** A process of this host. What the agent may not read of it (another user's, and the agent is not root) is empty. */
export interface RunningProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The program it runs. */
  readonly exe: string;
  readonly startedAt: Date;
}

/** Of /proc/<pid>/stat: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Every living process with a command line; none where there is no /proc. */
export async function runningProcesses(now: Date, proc = '/proc'): Promise<readonly RunningProcess[]> {
  const bootedAt = now.getTime() - (await uptimeMs(proc));
  const all = await Promise.all((await pidsIn(proc)).map((pid) => processAt(proc, pid, bootedAt)));
  return all.filter((one) => one !== null);
}

/** Every file below which the process works: its folder, its program, what it was called with, what it has mapped. */
export async function pathsInUse(
  { pid, argv, cwd, exe }: RunningProcess,
  proc = '/proc',
): Promise<readonly string[]> {
  const maps = await readFile(join(proc, String(pid), 'maps'), 'utf8').catch(() => '');
  const mapped = maps.split('\n').map((line) => line.slice(Math.max(0, line.indexOf('/'))));
  return [...new Set([cwd, exe, ...argv, ...mapped])].filter((path) => path.startsWith('/'));
}

async function pidsIn(proc: string): Promise<readonly string[]> {
  return (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
}

async function uptimeMs(proc: string): Promise<number> {
  const text = await readFile(join(proc, 'uptime'), 'utf8').catch(() => '0');
  return Number.parseFloat(text) * 1000;
}

/** Null: it ended meanwhile, is a zombie, or is a thread of the kernel. */
async function processAt(proc: string, pid: string, bootedAt: number): Promise<RunningProcess | null> {
  const folder = join(proc, pid);
  const [stat, cmdline, cwd, exe] = await Promise.all([
    readFile(join(folder, 'stat'), 'utf8').catch(() => ''),
    readFile(join(folder, 'cmdline'), 'utf8').catch(() => ''),
    readlink(join(folder, 'cwd')).catch(() => ''),
    readlink(join(folder, 'exe')).catch(() => ''),
  ]);
  const line = parseProcessLine(stat);
  if (line === null || cmdline === '') return null;
  const startedAt = new Date(bootedAt + (Number(line.startedAt) / TICKS_PER_SECOND) * 1000);
  return { pid: line.pid, argv: cmdline.replace(/\0$/, '').split('\0'), cwd, exe, startedAt };
}
