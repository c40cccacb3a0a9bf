import { execFile } from 'node:child_process';
import type { ExecFileException } from 'node:child_process';
import { searchPath } from './search-path.js';

export interface ProgramEnd {
  /** Null: ended by a signal, by the limits given, or not started at all (`problem` says which). */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Empty when it was started and ended by itself. */
  readonly problem: string;
  /** It was started and ended by a signal or by the limits given: whether it did its work is not known. */
  readonly brokenOff: boolean;
}

/**
 * Runs a short, read-only program of the host (systemctl, getent, git) to its end and keeps what it printed, up to
 * 16 MiB. Never throws. Not for steps: it dies with the agent. Its environment is PATH and what is given.
 */
export function runProgram(
  argv: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly cwd?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
    /** Another user than the agent's own; needs root. */
    readonly as?: { readonly uid: number; readonly gid: number };
  },
): Promise<ProgramEnd> {
  const [program = '', ...rest] = argv;
  return new Promise((done) => {
    const ended = (error: ExecFileException | null, stdout = '', stderr = ''): void => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      const problem = exitCode === null ? (error?.message ?? '') : '';
      done({ exitCode, stdout, stderr, problem, brokenOff: (error?.signal ?? null) !== null });
    };
    const settings = {
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 16 * 1024 * 1024,
      env: { PATH: searchPath(), ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.as === undefined ? {} : { uid: options.as.uid, gid: options.as.gid }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    try {
      execFile(program, rest, settings, ended);
    } catch (error) {
      // Thrown at once for what no process can be given: more arguments than there is room for, a NUL byte.
      ended(error as ExecFileException);
    }
  });
}
