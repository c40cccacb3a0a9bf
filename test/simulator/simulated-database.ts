import type { Waking } from '../../controller/deployments/edges.js';
import type { Ledger } from '../../controller/deployments/ledger.js';
import type { WakeTopic } from '../../controller/deployments/ledger/outbox.js';
import { memoryLedger, type MemoryLedger } from '../support/memory-ledger.js';
import { never, type Life } from './life.js';
import { Outage } from './outage.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';

/** What can go wrong with one transaction, each with its probability. */
export interface Troubles {
  readonly aborted: number;
  readonly answerLost: number;
  readonly wakeLost: number;
}

/** One statement that changes nothing needs no commit; its answer comes at once. */
const READS: readonly (keyof Ledger)[] = [
  'now',
  'agent',
  'agents',
  'deployment',
  'run',
  'question',
  'openQuestions',
  'hasWork',
  'unfinishedDeployments',
  'currentConfiguration',
];

/** Of one transaction. */
interface Connection {
  broken: boolean;
  onBreak: () => void;
}

const NO_TROUBLE: Troubles = { aborted: 0, answerLost: 0, wakeLost: 0 };

/**
 * The database server: the ledger in memory, behind connections that take time and break. Transactions come one after the
 * other, so a slow one holds all others up.
 */
export class SimulatedDatabase {
  readonly memory: MemoryLedger;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #connections = new Set<Connection>();
  troubles = NO_TROUBLE;
  slowness = { least: 0, most: 8 };
  readonly #noon: number;
  /** After a fail-over it is another machine's clock. */
  clockOffMs = 0;
  #away = false;

  constructor(schedule: Schedule, random: Random, noon: number) {
    this.#schedule = schedule;
    this.#random = random;
    this.#noon = noon;
    this.memory = memoryLedger(() => this.now());
  }

  /** By its own clock. */
  now(): Date {
    return new Date(this.#noon + this.#schedule.nowMs + this.clockOffMs);
  }

  get away(): boolean {
    return this.#away;
  }

  /** Whatever is in hand is rolled back; nobody is let in before it is back. */
  goAway(): void {
    this.#away = true;
    for (const open of this.#connections) {
      open.broken = true;
      open.onBreak();
    }
  }

  comeBack(): void {
    this.#away = false;
  }

  /** The ledger as one process sees it. */
  ledgerFor(life: Life): Ledger {
    const transaction: Ledger['transaction'] = (work) => this.#transaction(life, work);
    type Call = (...args: unknown[]) => Promise<unknown>;
    const names = Object.keys(this.memory.ledger).filter(
      (name) => name !== 'transaction',
    ) as (keyof Ledger)[];
    const calls = names.map((name): [string, Call] => [
      name,
      READS.includes(name)
        ? (...args) => this.#read(life, () => (this.memory.ledger[name] as Call)(...args))
        : (...args) => transaction((tx) => (tx[name] as Call)(...args)),
    ]);
    return { ...(Object.fromEntries(calls) as unknown as Ledger), transaction };
  }

  /** Wake-ups come late, or not at all. Those that only watchers want are left out: nobody watches here. */
  wakingFor(life: Life): Waking {
    const listeners = new Set<(topic: WakeTopic) => void>();
    const stop = this.memory.waking.subscribe((topic) => {
      if (topic.about === 'events' || topic.about === 'logs') return;
      if (this.#away || this.#random.chance(this.troubles.wakeLost)) return;
      life.after(this.#random.whole(0, 20), () => {
        for (const listener of listeners) listener(topic);
      });
    });
    life.onEnd(stop);
    return {
      subscribe: (listener) => {
        const own = (topic: WakeTopic): void => listener(topic);
        listeners.add(own);
        return () => listeners.delete(own);
      },
    };
  }

  async #read<T>(life: Life, work: () => Promise<T>): Promise<T> {
    if (!life.alive) return never();
    if (this.#away) return life.work(this.#takes(), refuse);
    const result = await work();
    return life.now(result);
  }

  async #transaction<T>(life: Life, work: (tx: Ledger) => Promise<T>): Promise<T> {
    if (!life.alive) return never();
    if (this.#away) return life.work(this.#takes(), refuse);
    const connection: Connection = { broken: false, onBreak: () => undefined };
    this.#connections.add(connection);
    const trouble = this.#random.next();
    try {
      const result = await this.memory.ledger.transaction((tx) =>
        this.#inside(life, connection, trouble, work, tx),
      );
      if (!life.alive) return await never();
      if (connection.broken || trouble > 1 - this.troubles.answerLost)
        throw new Outage('the connection broke after the commit');
      return result;
    } finally {
      this.#connections.delete(connection);
    }
  }

  /** Ends without the work's own end when the connection breaks or the process dies. */
  #inside<T>(
    life: Life,
    connection: Connection,
    trouble: number,
    work: (tx: Ledger) => Promise<T>,
    tx: Ledger,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let committing = false;
      const stop = (): void => {
        // What breaks off while it commits may be committed all the same.
        if (!committing || this.#random.chance(0.5)) reject(new Outage('the connection broke'));
      };
      if (!life.alive || connection.broken) return stop();
      connection.onBreak = stop;
      const stopListening = life.onEnd(stop);
      const worked = work(tx).then(async (result) => {
        committing = true;
        await this.#commit();
        if (trouble < this.troubles.aborted) throw new Outage('the transaction was aborted', '40001');
        return result;
      });
      worked.then(resolve, reject).finally(stopListening);
    });
  }

  #commit(): Promise<void> {
    return new Promise((resolve) => {
      this.#schedule.after(this.#takes(), resolve);
    });
  }

  #takes(): number {
    return this.#random.whole(this.slowness.least, this.slowness.most);
  }
}

function refuse(): never {
  throw new Outage('connection refused', 'ECONNREFUSED');
}
