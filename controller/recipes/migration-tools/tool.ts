import type { MigrationState } from '../../../proto/gen/fraisier/v1/plan.js';

/** A command as its words. */
export type Words = readonly string[];

/** How one environment speaks to its tool. */
export interface ToolSettings {
  /** The words before the tool's own: its default, or what the configuration puts in their place. */
  readonly program: Words;
  /** Folder of the migrations, relative to where commands run; empty: the tool's own. */
  readonly directory: string;
}

/** A way down: exactly from `after` to `before`, by undoing `applied`, newest first. */
export interface Way {
  readonly before: MigrationState;
  readonly after: MigrationState;
  readonly applied: readonly string[];
}

/** A migration tool as its command lines; the agent reads the output (agent/migrations/). Pure. */
export interface MigrationTool {
  readonly program: Words;
  /** What `directory` means to it; null: it has no such setting. */
  readonly directory: string | null;
  readonly up: (settings: ToolSettings) => Words;
  /** Empty: it cannot say what is applied and pending in a form that can be relied on. */
  readonly status: (settings: ToolSettings) => readonly Words[];
  /** Null: no way down. */
  readonly down: WayDown | null;
  /** Drops everything and makes it again, one command after the other; null: it cannot. */
  readonly rebuild: ((settings: ToolSettings) => readonly Words[]) | null;
}

export interface WayDown {
  readonly commands: (settings: ToolSettings, way: Way) => readonly Words[];
  /** The words that every one of them begins with: for a policy that is asked before the rest is known. */
  readonly begin: (settings: ToolSettings) => Words;
  /** How many words follow on those. */
  readonly words: number;
  /** Each command undoes whatever is the newest, so what is applied is looked at between any two. */
  readonly oneByOne: boolean;
}

/** `[flag, directory]`, or nothing without one. */
export function directoryFlag(flag: string, { directory }: ToolSettings): Words {
  return directory === '' ? [] : [flag, directory];
}
