import { lookForMissedPushes, type Watcher } from './look-for-missed-pushes.js';

/** How often is looked for a branch whose turn has come. */
const EVERY_MS = 5_000;

export interface Watching {
  /** Ends when what is in hand is done. */
  stop(): Promise<void>;
}

/** Looks for missed pushes until it is stopped, where the configuration asks for it; one round after the other. */
export function startWatching(watcher: Watcher, everyMs = EVERY_MS): Watching {
  let stopped = false;
  let inHand: Promise<void> = Promise.resolve();
  let next = () => {};

  const round = (): void => {
    inHand = lookForMissedPushes(watcher, () => stopped)
      .catch((error: unknown) => watcher.onError(error, ''))
      .finally(() => {
        if (!stopped) next = watcher.edges.after(everyMs, round);
      });
  };
  round();
  return {
    async stop() {
      stopped = true;
      next();
      await inHand;
    },
  };
}
