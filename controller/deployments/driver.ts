import { advance } from './advance.js';
import type { Edges } from './edges.js';

/** Covers lost wake-ups, controllers that died, and waits for hosts. */
const POLL_MS = 2000;
/** More would only wait for the same locks, and keep the connections that deliveries and agents need. */
const AT_ONCE = 5;
/** Timers cannot be set for longer than 24 days: who waits so long is asked again meanwhile. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

export interface Driver {
  /** Ends when what is in hand is done. */
  stop(): Promise<void>;
}

export interface DriverOptions {
  /** A deployment could not be advanced; it is tried again at the next poll. */
  readonly onError: (error: unknown, deployment: string | null) => void;
  readonly pollMs?: number;
}

/**
 * Advances every unfinished deployment: at its wake-up, when a decision asked to be asked again, and on a slow poll.
 * Several drivers over one ledger do no harm: the row is held while one decides.
 */
export function startDriver(edges: Edges, { onError, pollMs = POLL_MS }: DriverOptions): Driver {
  const timers = new Map<string, () => void>();
  const inHand = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const waiting = new Set<string>();
  let stopped = false;
  let nextPoll = () => {};

  const drive = (id: string): void => {
    if (stopped) return;
    if (inHand.has(id)) {
      again.add(id);
      return;
    }
    if (inHand.size >= AT_ONCE) {
      waiting.add(id);
      return;
    }
    waiting.delete(id);
    const work = advance(edges, id)
      .then((until) => schedule(id, until))
      .catch((error: unknown) => onError(error, id))
      .finally(() => {
        inHand.delete(id);
        if (again.delete(id)) waiting.add(id);
        for (const next of [...waiting].slice(0, 1)) drive(next);
      });
    inHand.set(id, work);
  };
  const schedule = async (id: string, until: Date | null): Promise<void> => {
    timers.get(id)?.();
    timers.delete(id);
    if (until === null || stopped) return;
    const now = await edges.ledger.now();
    timers.set(
      id,
      edges.after(waitFor(until.getTime() - now.getTime()), () => drive(id)),
    );
  };
  const poll = async (): Promise<void> => {
    try {
      const found = await edges.ledger.unfinishedDeployments();
      if (edges.listening !== undefined) edges.listening.since ??= await edges.ledger.now();
      for (const deployment of found) drive(deployment.id);
    } catch (error) {
      if (edges.listening !== undefined) edges.listening.since = null;
      onError(error, null);
    }
    if (!stopped) nextPoll = edges.after(pollMs, () => void poll());
  };

  const unsubscribe = edges.waking.subscribe((topic) => {
    if (topic.about === 'deployment') drive(topic.id);
  });
  void poll();
  return {
    async stop() {
      stopped = true;
      unsubscribe();
      nextPoll();
      for (const cancel of timers.values()) cancel();
      await Promise.allSettled(inHand.values());
    },
  };
}

function waitFor(ms: number): number {
  return Math.min(LONGEST_WAIT_MS, Math.max(0, ms));
}
