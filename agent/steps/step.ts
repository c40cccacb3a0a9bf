import type { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Phase, Reason, Step, StepResult, Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { Policy } from '../policy.js';

/** How a step ended. A failed step is a result, a cancelled one did not fail, an interrupted one is neither. */
export type StepEnd =
  | { readonly outcome: typeof Outcome.SUCCEEDED; readonly result?: Partial<StepResult> }
  | {
      readonly outcome: typeof Outcome.FAILED;
      readonly reason: Reason;
      readonly result?: Partial<StepResult>;
    }
  | { readonly outcome: typeof Outcome.CANCELLED; readonly reason: Reason }
  | { readonly outcome: typeof Outcome.INTERRUPTED; readonly reason: Reason };

/** What a step is given: everything it may touch. No step knows the stream, the journal or another step. */
export interface StepContext {
  readonly runId: string;
  readonly phase: Phase;
  readonly target: Target;
  readonly commit: string;
  readonly step: Step;
  /** 1, or more when a repeatable step is done again after a crash. */
  readonly attempt: number;
  readonly policy: Policy;
  /** Agent's own state folder: mirrors live below it. */
  readonly stateFolder: string;
  /** Aborts with a Reason (`cancelled`, `timed_out`) as its reason; commands are stopped by the context itself. */
  readonly signal: AbortSignal;
  /** Runs a command to its end, output to the step's log. Stopped with its whole group or cgroup when `signal` aborts. */
  readonly command: (command: StepCommand) => Promise<CommandEnd>;
  /** Recorded progress: an event. */
  readonly note: (code: string, message: string, facts?: Readonly<Record<string, string>>) => Promise<void>;
  /** A line of the step's log in Fraisier's own words. */
  readonly log: (line: string) => Promise<void>;
  readonly now: () => Date;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** systemd's answers; null where there is no systemd to speak to. */
  readonly systemd: Systemd | null;
}

export interface StepCommand {
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** Other than the agent's own user; needs root. */
  readonly user?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** KEY=value file on this host, read for the command only. */
  readonly environmentFile?: string;
  /** Keep standard output (up to 1 MiB) for the caller beside the log; the default logs both streams only. */
  readonly capture?: boolean;
  /** Stopped after this long (`timed_out`), and its traces removed at its end: for one of many short looks. */
  readonly limitMs?: number;
}

/** Errors are values here: only a broken agent throws. */
export type CommandEnd =
  | {
      readonly ended: 'exited';
      readonly exitCode: number;
      readonly output: string;
      /** The end of what it printed to standard error, where standard output was kept apart. */
      readonly errors?: string;
    }
  | { readonly ended: 'signalled'; readonly signal: string }
  | { readonly ended: 'not_found'; readonly message: string }
  | { readonly ended: 'stopped'; readonly reason: Reason }
  | { readonly ended: 'unknown'; readonly reason: Reason };

export type RestartVerb = 'restart' | 'reload' | 'try-restart';

export interface Systemd {
  /** Properties of a unit as `systemctl show` prints them. */
  show(unit: string, properties: readonly string[]): Promise<Readonly<Record<string, string>>>;
  restart(unit: string, signal: AbortSignal, verb?: RestartVerb): Promise<CommandEnd>;
  stop(unit: string, signal: AbortSignal): Promise<CommandEnd>;
  start(unit: string, signal: AbortSignal): Promise<CommandEnd>;
  enable(unit: string, signal: AbortSignal): Promise<CommandEnd>;
  disable(unit: string, signal: AbortSignal): Promise<CommandEnd>;
  /** Forgets that the unit failed, and its last result; nothing happens to one that did not. */
  resetFailed(unit: string, signal: AbortSignal): Promise<CommandEnd>;
  /** Reads the unit files again. */
  daemonReload(signal: AbortSignal): Promise<CommandEnd>;
  /** Where the host's own unit files lie. */
  readonly unitFolder: string;
  /** The last lines the unit wrote to the journal. */
  journalTail(unit: string, lines: number): Promise<string>;
}

/** One file each: does one thing to the host; `run.ts` alone times, logs and reports. */
export type RunStep<K> = (spec: K, context: StepContext) => Promise<StepEnd>;
