import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import { configurationReader } from './current-configuration.js';
import { settleDelivery } from './settle-delivery.js';

/** Covers lost wake-ups, controllers that died, and deliveries that were given back. */
const POLL_MS = 2_000;
/** Longer than all questions about one delivery; then a dead controller's comes back. */
const IN_HAND_MS = 120_000;
/** At a time: one whose agents do not answer keeps no other waiting. */
const MOST_IN_HAND = 8;

export interface Settling {
  /** Ends when what is in hand is done. */
  stop(): Promise<void>;
}

export interface SettlingOptions {
  /** A delivery could not be settled; another try is made when nobody has had it in hand for a while. */
  readonly onError: (error: unknown, delivery: string | null) => void;
  readonly pollMs?: number;
}

/**
 * Settles every pending delivery: at its wake-up and on a slow poll. Several of these over one ledger do no harm: each
 * delivery is in the hand of one, by the ledger's clock.
 */
export function startSettling(edges: Edges, { onError, pollMs = POLL_MS }: SettlingOptions): Settling {
  const settler = { edges, readConfiguration: configurationReader(edges.parsed) };
  const inHand = new Set<Promise<void>>();
  let taking: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  let nextPoll: () => void;

  const settleOne = (delivery: DeliveryRow): void => {
    const work: Promise<void> = settleDelivery(settler, delivery)
      .catch((error: unknown) => onError(error, delivery.id))
      .finally(() => {
        inHand.delete(work);
        look();
      });
    inHand.add(work);
  };
  const takeAll = async (): Promise<void> => {
    while (!stopped && inHand.size < MOST_IN_HAND) {
      const delivery = await edges.ledger.takePending(IN_HAND_MS);
      if (delivery === null) return;
      settleOne(delivery);
    }
  };
  const look = (): void => {
    again = true;
    taking ??= keepTaking().finally(() => {
      taking = null;
    });
  };
  const keepTaking = async (): Promise<void> => {
    while (again && !stopped) {
      again = false;
      await takeAll().catch((error: unknown) => onError(error, null));
    }
  };
  const poll = (): void => {
    look();
    nextPoll = edges.after(pollMs, poll);
  };

  const unsubscribe = edges.waking.subscribe((topic) => {
    if (topic.about === 'delivery') look();
  });
  poll();
  return {
    async stop() {
      stopped = true;
      unsubscribe();
      nextPoll();
      await taking;
      await Promise.allSettled(inHand);
    },
  };
}
