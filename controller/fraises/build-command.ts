import { durationMs } from './duration.js';
import type { CommandLine, UserCommand } from './fraises.js';
import type { WrittenSettings } from './fraises-schema.js';

/** A command of the configuration with its defaults; null when there is none. */
export function userCommand(written: WrittenSettings['install'], defaultMs: number): UserCommand | null {
  if (written === undefined) return null;
  return {
    command: commandLine(written.command),
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, defaultMs),
  };
}

/** A list is argv, a string is for a shell. */
export function commandLine(written: string | readonly string[]): CommandLine {
  return typeof written === 'string' ? { shell: written } : { argv: written };
}

/** A written duration, or `otherwise`. */
export function milliseconds(written: string | number | undefined, otherwise: number): number {
  return written === undefined ? otherwise : durationMs(written);
}
