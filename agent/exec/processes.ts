import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { runProgram } from './run-program.js';

/** One process, as far as it is needed. */
export interface ProcessLine {
  readonly pid: number;
  /** Begins with Z: dead and not yet collected by its parent. */
  readonly state: string;
  readonly group: number;
  /** Tells a process from a later one with the same pid. Opaque. */
  readonly startedAt: string;
}

/** Where the table of processes is read: /proc, or `ps` where there is none. */
export type ProcessSource = 'proc' | 'ps';

/** Where processes are looked up here: `/proc`, or the command `ps` where there is none. */
export function processSource(): ProcessSource {
  return existsSync('/proc/self/stat') ? 'proc' : 'ps';
}

const PS_COLUMNS = 'pid=,stat=,pgid=,lstart=';

/** The line of a process as `parseProcessLine` reads it; empty when it is gone. */
export async function ownLine(pid: number, source: ProcessSource): Promise<string> {
  const lines = await linesOf(source, pid);
  return lines.find((line) => parseProcessLine(line) !== null) ?? '';
}

/** Reads a line of /proc/<pid>/stat or of `ps`; null for anything else. The name in the former may hold anything. */
export function parseProcessLine(line: string): ProcessLine | null {
  const pid = /^(\d+) \(/.exec(line)?.[1];
  if (pid === undefined) return parsePsLine(line);
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  const startedAt = fields[19];
  if (state === undefined || group === undefined || startedAt === undefined) return null;
  return { pid: Number(pid), state, group: Number(group), startedAt };
}

function parsePsLine(line: string): ProcessLine | null {
  const [, pid, state, group, startedAt] = /^\s*(\d+)\s+([A-Z]\S*)\s+(\d+)\s+(\S.*?)\s*$/.exec(line) ?? [];
  if (pid === undefined || state === undefined || group === undefined || startedAt === undefined) return null;
  return { pid: Number(pid), state, group: Number(group), startedAt };
}

/** Whether this very process, not another that got its pid later, is alive. A zombie is not. */
export async function isAlive(known: ProcessLine, source: ProcessSource): Promise<boolean> {
  const [now] = await processLines(source, known.pid);
  return now !== undefined && !now.state.startsWith('Z') && now.startedAt === known.startedAt;
}

/** Whether its pid belongs to another process by now. */
export async function isReplaced(known: ProcessLine, source: ProcessSource): Promise<boolean> {
  const [now] = await processLines(source, known.pid);
  return now !== undefined && now.startedAt !== known.startedAt;
}

/** The living members of a process group. Empty when all are gone or only zombies are left. */
export async function groupMembers(group: number, source: ProcessSource): Promise<readonly ProcessLine[]> {
  const all = await processLines(source, null);
  return all.filter((line) => line.group === group && !line.state.startsWith('Z'));
}

/** False when there was nobody to signal. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    // Gone, or every member belongs to another user: both are seen by looking again.
    return false;
  }
}

/** Of one process, or of all. */
async function processLines(source: ProcessSource, pid: number | null): Promise<readonly ProcessLine[]> {
  return (await linesOf(source, pid)).map(parseProcessLine).filter((line) => line !== null);
}

function linesOf(source: ProcessSource, pid: number | null): Promise<readonly string[]> {
  return source === 'proc' ? procLines(pid) : psLines(pid);
}

async function procLines(pid: number | null): Promise<readonly string[]> {
  const pids = pid === null ? (await readdir('/proc')).filter((name) => /^\d+$/.test(name)) : [String(pid)];
  // A process may end between the listing and the look.
  return Promise.all(pids.map((one) => readFile(`/proc/${one}/stat`, 'utf8').catch(() => '')));
}

async function psLines(pid: number | null): Promise<readonly string[]> {
  const which = pid === null ? ['-A'] : ['-p', String(pid)];
  return (await runProgram(['ps', '-o', PS_COLUMNS, ...which], { timeoutMs: 10_000 })).stdout.split('\n');
}
