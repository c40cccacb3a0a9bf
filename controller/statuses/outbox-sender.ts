import type { NotificationRow } from '../deployments/ledger/outbox.js';
import { configurationReader, type ReadConfiguration } from '../webhooks/current-configuration.js';
import { deliverStatus } from './deliver-status.js';
import type { SenderEdges } from './sender-edges.js';
import { sortOutbox } from './sort-outbox.js';

export interface SenderPatience {
  /** Covers lost wake-ups and what becomes due again. */
  readonly pollMs: number;
  /** From a wake-up to looking: what comes together is looked for once, and a state that passes at once is not told. */
  readonly gatherMs: number;
  readonly timeoutMs: number;
  /** Much longer than `timeoutMs`: after that another controller may send the same. */
  readonly claimMs: number;
  /** When stopping, for what is under way. */
  readonly drainMs: number;
  /** Hosts that are spoken to at once, one request each: no more connections of the pool are in use. */
  readonly lanes: number;
}

export const SENDER_PATIENCE: SenderPatience = {
  pollMs: 5000,
  gatherMs: 100,
  timeoutMs: 10_000,
  claimMs: 60_000,
  drainMs: 2000,
  lanes: 4,
};

export interface OutboxSender {
  /** Ends when what is under way is done, or cut off and to be sent again. */
  stop(): Promise<void>;
}

/**
 * Empties the outbox: commit statuses for git hosts, one at a time to each host, in the order in which they are due. Any
 * number of senders may share a ledger. What is sent may be sent twice; an older state never after a newer one, unless
 * a controller freezes for longer than `claimMs` with a request in its hands.
 */
export function startOutboxSender(edges: SenderEdges, patience = SENDER_PATIENCE): OutboxSender {
  return new Sender(edges, patience);
}

class Sender implements OutboxSender {
  readonly #edges: SenderEdges;
  readonly #patience: SenderPatience;
  readonly #configuration: ReadConfiguration;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  #stopped = false;
  #round: Promise<void> | null = null;
  #again = false;
  #cancelPoll = () => {};
  #cancelGathering: (() => void) | null = null;

  constructor(edges: SenderEdges, patience: SenderPatience) {
    this.#edges = edges;
    this.#configuration = configurationReader(edges.parsed);
    this.#patience = patience;
    // Whoever writes about a deployment wakes those who follow it.
    this.#unsubscribe = edges.waking.subscribe(({ about }) => {
      if (about === 'deployment') this.#lookSoon();
    });
    this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#cancelPoll();
    this.#cancelGathering?.();
    const keepAlive = this.#edges.after(this.#patience.drainMs, () => this.#stopping.abort());
    await this.#round;
    await Promise.all(this.#busy.values());
    keepAlive();
  }

  #poll(): void {
    this.#look();
    this.#cancelPoll = this.#edges.after(this.#patience.pollMs, () => this.#poll());
  }

  #lookSoon(): void {
    this.#cancelGathering ??= this.#edges.after(this.#patience.gatherMs, () => {
      this.#cancelGathering = null;
      this.#look();
    });
  }

  /** One round at a time; a wake-up during one is followed by another. */
  #look(): void {
    if (this.#stopped) return;
    this.#again = this.#round !== null;
    if (this.#again) return;
    this.#round = this.#sendWhatIsDue()
      .catch((error: unknown) => this.#edges.logger.warn({ err: error }, 'outbox not emptied'))
      .finally(() => {
        this.#round = null;
        if (this.#again) this.#look();
      });
  }

  async #sendWhatIsDue(): Promise<void> {
    const { ledger } = this.#edges;
    await sortOutbox(ledger, this.#configuration);
    while (!this.#stopped && this.#busy.size < this.#patience.lanes) {
      const busyLanes = [...this.#busy.keys()];
      const claimed = await ledger.claimNotification({ busyLanes, claimMs: this.#patience.claimMs });
      if (claimed === null) return;
      this.#start(claimed, claimed.lane as string);
    }
  }

  #start(claimed: NotificationRow, lane: string): void {
    const { timeoutMs } = this.#patience;
    const edges = {
      ...this.#edges,
      timeoutMs,
      stopping: this.#stopping.signal,
      configuration: this.#configuration,
    };
    const work = deliverStatus(edges, claimed)
      // Nothing was written: it is sent again when the claim has run out.
      .catch((error: unknown) =>
        this.#edges.logger.warn({ err: error }, 'outcome of a notification not stored'),
      )
      .finally(() => {
        this.#busy.delete(lane);
        this.#look();
      });
    this.#busy.set(lane, work);
  }
}
