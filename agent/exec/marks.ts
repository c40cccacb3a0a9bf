import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { ExecEnd, ExecSpec } from './exec.js';

/** The files an executor leaves beside a command's output, so that a later agent can read what became of it. */
export interface Marks {
  /** Written by the agent before it starts anything: boot id. */
  readonly begun: string;
  /** Made exclusively by whoever comes first: the agent that starts the wrapper, or one that declares the start void. */
  readonly process: string;
  /** Written before SIGKILL, which leaves the wrapper no time to tell. */
  readonly killed: string;
  /** How it ended, as a whole line; blank until then, so that a full disk cannot swallow a result. */
  readonly end: string;
  /** Values for a transient unit, 0600. */
  readonly environment: string;
}

/** The paths of the files in the run's folder that say what became of a command. */
export function marksOf(spec: ExecSpec): Marks {
  const base = join(spec.folder, spec.id);
  return {
    begun: `${base}.begun`,
    process: `${base}.process`,
    killed: `${base}.killed`,
    end: `${base}.end`,
    environment: `${base}.environment`,
  };
}

/** Removes every mark of a command; those that are not there are no error. */
export async function removeMarks(spec: ExecSpec): Promise<void> {
  for (const file of Object.values(marksOf(spec)).filter(existsSync)) unlinkSync(file);
}

/** Null when there is no such file. As all of them, it is in the state folder and read from the kernel's cache. */
export async function readMark(file: string): Promise<string | null> {
  if (!existsSync(file)) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** In a folder that one agent works in, and which no one reads before the command that it is of is started. */
export function putMark(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 });
}

/** There whole or not at all. Not synced: after a power cut the boot is another one, and no mark counts. */
export async function writeMark(file: string, content: string): Promise<void> {
  const beside = `${file}.writing`;
  writeFileSync(beside, content, { mode: 0o600 });
  renameSync(beside, file);
}

/** False when it is there already. */
export function makeMark(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Whether it is an error of the system with this code, e.g. `ENOENT`. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

export type RecordedEnd = Exclude<ExecEnd, { ended: 'absent' }>;

/** The end recorded for this command, null when there is none. */
export async function recordedEnd(spec: ExecSpec): Promise<RecordedEnd | null> {
  const text = await readMark(marksOf(spec).end);
  return text === null ? null : parseEnd(text);
}

/** Writes the end of a command as its mark, whole or not at all. */
export async function recordEnd(spec: ExecSpec, end: RecordedEnd): Promise<void> {
  await writeMark(marksOf(spec).end, `${formatEnd(end)}\n`);
}

function formatEnd(end: RecordedEnd): string {
  switch (end.ended) {
    case 'exited':
      return `exited ${end.exitCode}`;
    case 'signalled':
      return `signalled ${end.signal}`;
    case 'not_found':
      return `not_found ${end.message}`;
  }
}

/** Null without a whole line: the wrapper writes its own in one go, of which a reader may still see a part. */
function parseEnd(text: string): RecordedEnd | null {
  const status = /^exited (\d+)\n/.exec(text)?.[1];
  if (status !== undefined) return endOfShell(Number(status));
  const [, word, rest = ''] = /^(signalled|not_found) ([^]*)\n$/.exec(text) ?? [];
  if (word === undefined) return null;
  return word === 'signalled' ? { ended: word, signal: rest } : { ended: 'not_found', message: rest };
}

/**
 * What a shell's `$?` means. Limit: a program that itself exits with 128 + the number of a signal is read as having died
 * by it, as every shell reads it.
 */
function endOfShell(status: number): RecordedEnd {
  const signal = status > 128 ? signalName(status - 128) : null;
  return signal === null ? { ended: 'exited', exitCode: status } : { ended: 'signalled', signal };
}

/** `SIGKILL` for 9; null for a number that is no signal here. */
export function signalName(number: number): string | null {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null;
}
