import type { CommandEnd } from '../steps/step.js';

/** One command as the agent starts it. `id` is unique for ever: `<run>-<step>-<attempt>-<n>`. */
export interface ExecSpec {
  readonly id: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly user: string | null;
  /** In addition to a minimal PATH, HOME, LANG. Never appears in a process list. */
  readonly environment: Readonly<Record<string, string>>;
  readonly environmentFile: string | null;
  /** Both streams are appended here, byte by byte in order. */
  readonly outputFile: string;
  /** When set, standard output goes here instead and only standard error to outputFile. */
  readonly captureFile: string | null;
  /** Folder for the executor's own marks (status files); the run's folder. */
  readonly folder: string;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

/**
 * Starts commands that outlive the agent. Two implementations: transient systemd units (`transient-unit.ts`, where
 * systemd is process 1 and the agent is root) and a detached process group with an exit-status wrapper (`child-process.ts`).
 */
export interface Exec {
  readonly kind: 'transient_unit' | 'child_process';
  /** Starts it; when this returns it runs (or has ended). Throws only if the executor itself is broken. */
  start(spec: ExecSpec): Promise<void>;
  /** Waits for the end, however it was started and by whichever incarnation of the agent. */
  wait(spec: ExecSpec, signal: AbortSignal): Promise<ExecEnd>;
  /** What became of it, without waiting. `absent`: never started here, or its trace is gone (reboot, collected). */
  look(spec: ExecSpec): Promise<ExecEnd | { readonly ended: 'running' } | { readonly ended: 'absent' }>;
  /** SIGTERM to the whole cgroup or group, grace, SIGKILL; returns when nothing of it is left. */
  stop(spec: ExecSpec): Promise<void>;
  /** Removes units and marks once the result is journaled. */
  forget(spec: ExecSpec): Promise<void>;
}

export type ExecEnd =
  | Extract<CommandEnd, { ended: 'signalled' | 'not_found' }>
  | { readonly ended: 'exited'; readonly exitCode: number }
  | { readonly ended: 'absent' };
