import { readlinkSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseProcessLine } from './processes.js';
import { runProgram } from './run-program.js';

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

/** A program that reads all of them takes a twentieth of what it costs to read them one by one here. */
const SEARCH_MS = 10_000;

/** Every living process with a command line; none where there is no /proc. */
export async function runningProcesses(now: Date, proc = '/proc'): Promise<readonly RunningProcess[]> {
  return processesAt(await pidsIn(proc), now, proc);
}

/** Those of them that may work below one of the folders: what `pathsInUse` says of any other names none of them. */
export async function processesNaming(
  folders: readonly string[],
  now: Date,
  proc = '/proc',
): Promise<readonly RunningProcess[]> {
  const pids = await pidsIn(proc);
  const read = pids.flatMap((pid) => ['cmdline', 'maps'].map((file) => join(proc, pid, file)));
  const argv = ['grep', '-lsF', ...folders.flatMap((folder) => ['-e', folder]), '--', '/dev/null', ...read];
  const { exitCode, stdout, stderr } = await runProgram(argv, { timeoutMs: SEARCH_MS });
  // What cannot be read, such as what has ended, is passed over without a word; a word is that it could not search.
  if (exitCode === null || stderr !== '') return processesAt(pids, now, proc);
  const found = new Set(stdout.split('\n').map((file) => file.slice(proc.length + 1).split('/')[0]));
  const isIn = (pid: string): boolean => found.has(pid) || linksInto(folders, join(proc, pid));
  return processesAt(pids.filter(isIn), now, proc);
}

/** Asks the kernel's own table and waits for no process. */
function linksInto(folders: readonly string[], of: string): boolean {
  const links = ['cwd', 'exe'].map((name) => {
    try {
      return readlinkSync(join(of, name));
    } catch {
      return '';
    }
  });
  return links.some((link) => folders.some((folder) => link.startsWith(folder)));
}

async function processesAt(
  pids: readonly string[],
  now: Date,
  proc: string,
): Promise<readonly RunningProcess[]> {
  const bootedAt = now.getTime() - (await uptimeMs(proc));
  const all = await Promise.all(pids.map((pid) => processAt(proc, pid, bootedAt)));
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
