import type { Configuration } from '../fraises/fraises.js';
import type { Ledger } from './ledger.js';
import type { WakeTopic } from './ledger/outbox.js';

/** What use cases are handed: nothing here is deterministic, everything in the pure files is. */
export interface Edges {
  readonly ledger: Ledger;
  readonly waking: Waking;
  /** A new id with its prefix: `d_…` deployment, `r_…` run, `w_…` delivery, `q_…` question, `l_…` lock. */
  readonly newId: (prefix: 'd' | 'r' | 'w' | 'q' | 'l') => string;
  /** The controller's environment, for `${NAME}` in the configuration. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls `act` once after `ms`, unless the returned function is called first (`setTimeout` in the real world). */
  readonly after: (ms: number, act: () => void) => () => void;
  /** How long an agent's connection, and what it was assigned, is valid without being renewed. */
  readonly leaseMs: number;
  /** Kept by the driver. Without it hosts are taken to have had their time. */
  readonly listening?: Listening;
  /** Revisions that were parsed before: one never changes. Without it each is parsed at every use. */
  readonly parsed?: Map<number, Configuration>;
}

/** Since when, without a break, agents can find this controller and be recorded by it; null: they cannot. */
export interface Listening {
  since: Date | null;
}

/** Wake-ups sent by any controller on the same ledger; they can be lost, so every waiter also polls slowly. */
export interface Waking {
  /** Calls `listener` for every wake-up until the returned function is called. */
  subscribe(listener: (topic: WakeTopic) => void): () => void;
}

/** `after` of the real world. */
export function afterRealTime(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

/** Who asks: `local`, a token's name, `webhook:github`, `agent:web-1`, `controller`. */
export interface Actor {
  readonly name: string;
  readonly role: 'viewer' | 'deployer' | 'admin';
}
