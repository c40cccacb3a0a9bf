import { reason } from '../../proto/error-codes.js';
import type { ErrorCode } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { StepResult } from '../../proto/gen/fraisier/v1/plan.js';
import type { CommandEnd, StepEnd } from './step.js';

/** The end of a step that did what it should, with what it found out. */
export function succeeded(result: Partial<StepResult> = {}): StepEnd {
  return { outcome: Outcome.SUCCEEDED, result };
}

/** The end of a step that did not do what it should. */
export type EndWithReason = Exclude<StepEnd, { outcome: typeof Outcome.SUCCEEDED }>;

export type FailedEnd = Extract<StepEnd, { outcome: typeof Outcome.FAILED }>;

/** The end of a step that failed, with its reason. */
export function failed(
  code: ErrorCode,
  message: string,
  more: {
    readonly hint?: string;
    readonly facts?: Record<string, string>;
    readonly result?: Partial<StepResult>;
  } = {},
): FailedEnd {
  const { result, ...details } = more;
  const why = reason(code, message, details);
  return { outcome: Outcome.FAILED, reason: why, ...(result === undefined ? {} : { result }) };
}

export type Ended<K extends CommandEnd['ended']> = Extract<CommandEnd, { ended: K }>;

/**
 * What a command's end means for a step that could not do its work because of it: `name` says in a word what was run,
 * `code` is the reason for a command that failed by itself. Not for a command that exited with 0.
 */
export function endOfCommand(end: CommandEnd, name: string, code: ErrorCode): EndWithReason {
  switch (end.ended) {
    case 'exited':
      return endOfExit(end, name, code);
    case 'signalled':
      return failed(code, `${name} was ended by ${end.signal}`, { facts: { signal: end.signal } });
    case 'not_found':
      return failed('command_not_found', `${name} could not be started: ${end.message}`);
    case 'stopped': {
      const timedOut = end.reason.code === 'timed_out';
      return { outcome: timedOut ? Outcome.FAILED : Outcome.CANCELLED, reason: end.reason };
    }
    case 'unknown':
      return { outcome: Outcome.INTERRUPTED, reason: end.reason };
  }
}

function endOfExit(end: Ended<'exited'>, name: string, code: ErrorCode): EndWithReason {
  const said = lastLine(saidBy(end));
  const result = { exitCode: end.exitCode };
  if (saysDiskFull(saidBy(end))) {
    return failed('disk_full', `${name}: the disk is full (${said})`, {
      hint: 'free space on this host, then retry',
      result,
    });
  }
  const exit = `${name} exited with status ${end.exitCode}`;
  const facts: Record<string, string> = { exit_code: String(end.exitCode) };
  if (said !== '') facts['output'] = said;
  return failed(code, said === '' ? exit : `${exit}: ${said}`, { facts, result });
}

/** What a program said to people: its standard error where that was kept apart and holds something, else all it printed. */
export function saidBy(end: CommandEnd): string {
  if (end.ended !== 'exited') return '';
  const { output, errors = '' } = end;
  return errors.trim() === '' ? output : errors;
}

/** The last line that is not blank, cut to 500 characters. */
export function lastLine(output: string): string {
  const lines = output.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').trim().slice(0, 500);
}

/** Whether a program's output says that the disk or the quota is full. */
export function saysDiskFull(output: string): boolean {
  return /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/i.test(output);
}

/** Whether it is an error of the system with one of these codes. */
export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code);
}

/** What the file system said no to, as the end of a step; anything that is not its word is thrown on. */
export function endOfDiskError(error: unknown, what: string, code: ErrorCode, hint = ''): FailedEnd {
  if (!(error instanceof Error) || !('errno' in error)) throw error;
  if (isCode(error, 'ENOSPC', 'EDQUOT')) {
    return failed('disk_full', `${what}: the disk is full`, { hint: 'free space on this host, then retry' });
  }
  return failed(code, `${what}: ${error.message}`, { hint });
}
