import type { Logger } from 'pino';
import type { Reason, Step, Target } from '../proto/gen/fraisier/v1/plan.js';
import type { Clock } from './clock.js';
import type { Disk } from './disk.js';
import type { Exec } from './exec/exec.js';
import type { Lease } from './lease.js';
import type { Policy } from './policy.js';
import type { RunFolder } from './run-folder.js';
import type { StepContext, StepEnd, Systemd } from './steps/step.js';

/** Everything a run may touch, handed in. */
export interface RunPorts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly lease: Lease;
  readonly systemd: Systemd | null;
  /** Of this start of the host; empty where the kernel does not tell. */
  readonly bootId: string;
  readonly stateFolder: string;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  readonly runStep: (step: Step, context: StepContext) => Promise<StepEnd>;
  /** Read afresh for every run; throws FraisierError when it cannot be read. */
  readonly loadPolicy: () => Promise<Policy>;
  /** Null: allowed. */
  readonly checkPolicy: (target: Target, steps: readonly Step[], policy: Policy) => Promise<Reason | null>;
  /** What is live on the host now; empty when nothing is. */
  readonly liveRelease: (target: Target) => Promise<string>;
  /** Of an in_place checkout; empty otherwise, and when it cannot be read. */
  readonly originOf: (target: Target) => Promise<string>;
  readonly logger: Logger;
}

/** A run while this process works on it. */
export interface RunInHand {
  readonly folder: RunFolder;
  readonly policy: Policy;
  /** Aborts with a Reason: the run is to be stopped. */
  readonly cancelled: AbortSignal;
  /** Aborts when this process stops looking; what runs goes on, for the next one to find. */
  readonly leave: AbortSignal;
}
