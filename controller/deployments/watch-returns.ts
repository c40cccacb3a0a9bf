import { catchUp } from './catch-up.js';
import type { Edges } from './edges.js';
import type { DeploymentRow } from './ledger/deployment.js';

const POLL_MS = 15_000;

export interface ReturnWatch {
  /** Ends when the look in hand is done. */
  stop(): Promise<void>;
}

export interface ReturnWatchOptions {
  /** The next look comes by itself. */
  readonly onError: (error: unknown) => void;
  readonly onCaughtUp: (deployment: DeploymentRow) => void;
  readonly pollMs?: number;
}

/** Looks again and again for hosts that were left behind and are back. Several over one ledger do no harm. */
export function watchReturns(
  edges: Edges,
  { onError, onCaughtUp, pollMs = POLL_MS }: ReturnWatchOptions,
): ReturnWatch {
  let stopped = false;
  let callOff = (): void => {};
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    await catchUp(edges).then((made) => made.forEach(onCaughtUp), onError);
    if (!stopped) callOff = edges.after(pollMs, begin);
  };
  const begin = (): void => {
    looking = look();
  };
  begin();
  return {
    async stop() {
      stopped = true;
      callOff();
      await looking;
    },
  };
}
