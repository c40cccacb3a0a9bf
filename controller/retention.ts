import type { Edges } from './deployments/edges.js';
import type { Keeping, Removed } from './db/retention.js';
import type { Logger } from './logger.js';

/** The first time soon after the start, so that a controller that is restarted every day removes something too. */
const FIRST_MS = 60_000;
const EVERY_MS = 3_600_000;

export interface RetentionEdges {
  readonly after: Edges['after'];
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Null: another controller is at it. */
  readonly removeOld: (keeping: Keeping) => Promise<Removed | null>;
}

export interface Retention {
  /** Ends when what is in hand is done. */
  stop(): Promise<void>;
}

/** Removes every hour what is no longer to be kept; what fails is tried again then. */
export function startRetention({ after, logger, removeOld }: RetentionEdges, keeping: Keeping): Retention {
  let inHand = Promise.resolve();
  let cancel = (): void => {};
  let stopped = false;

  const round = async (): Promise<void> => {
    try {
      const removed = await removeOld(keeping);
      if (removed !== null && Object.values(removed).some((count) => count > 0)) {
        logger.info({ removed }, 'removed what is no longer kept');
      }
    } catch (error) {
      logger.warn({ err: error }, 'nothing was removed, it is tried again in an hour');
    }
    if (!stopped) wait(EVERY_MS);
  };
  const wait = (ms: number): void => {
    cancel = after(ms, () => {
      inHand = round();
    });
  };
  wait(FIRST_MS);
  return {
    async stop() {
      stopped = true;
      cancel();
      await inHand;
    },
  };
}
