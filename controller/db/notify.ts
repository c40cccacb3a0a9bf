import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Waking } from '../deployments/edges.js';
import type { WakeTopic } from '../deployments/ledger/outbox.js';
import { connectionConfig } from './database.js';
import type { DatabaseOptions } from './database.js';
import { CHANNEL, topicOf } from './wake.js';

export interface Listening extends Waking {
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Called each time the connection is lost or cannot be made; listening goes on by itself. */
  readonly onError: (error: unknown) => void;
  /** First and longest wait between attempts to connect. */
  readonly backOffMs?: { readonly first: number; readonly longest: number };
}

/**
 * Listens on a connection of its own until closed. Returns after the first attempt to connect, successful or not. A
 * lost connection is made again, with growing waits; wake-ups sent meanwhile are lost, so every waiter also polls.
 */
export async function listen(database: DatabaseOptions, options: ListenOptions): Promise<Listening> {
  const listener = new Listener(database, options);
  await listener.start();
  return listener;
}

class Listener implements Listening {
  readonly #database: DatabaseOptions;
  readonly #options: ListenOptions;
  readonly #subscribers = new Set<(topic: WakeTopic) => void>();
  readonly #closing = new AbortController();
  #client: pg.Client | null = null;
  /** Ends with the connection; null while there is none. */
  #lost: Promise<void> | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(database: DatabaseOptions, options: ListenOptions) {
    this.#database = database;
    this.#options = options;
  }

  subscribe(subscriber: (topic: WakeTopic) => void): () => void {
    const own = (topic: WakeTopic): void => subscriber(topic);
    this.#subscribers.add(own);
    return () => void this.#subscribers.delete(own);
  }

  async start(): Promise<void> {
    await this.#connect();
    this.#work = this.#keepListening();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.end().catch(() => undefined);
    await this.#work;
  }

  async #keepListening(): Promise<void> {
    const { first, longest } = this.#options.backOffMs ?? { first: 100, longest: 5000 };
    for (let waitMs = first; !this.#closing.signal.aborted; waitMs = Math.min(waitMs * 2, longest)) {
      if (this.#lost !== null) {
        await this.#lost;
        waitMs = first;
      }
      await sleep(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (!this.#closing.signal.aborted) await this.#connect();
    }
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(connectionConfig({ applicationName: 'fraisier-listen', ...this.#database }));
    const lost = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', (error) => this.#report(error));
    client.on('notification', ({ payload }) => this.#tell(topicOf(payload)));
    this.#lost = null;
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      this.#client = client;
      this.#lost = lost;
    } catch (error) {
      this.#report(error);
      await client.end().catch(() => undefined);
    }
  }

  #report(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#options.onError(error);
  }

  #tell(topic: WakeTopic | null): void {
    if (topic === null) return;
    for (const subscriber of this.#subscribers) subscriber(topic);
  }
}
