import { whenAborted } from '../../agent/aborting.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';

/** Something asked of the world that takes time; when the process dies meanwhile, it may have happened or not. */
interface InHand {
  readonly act: () => unknown;
  readonly callOff: () => void;
}

/**
 * One process from its start to its death. Everything it asks of the world goes through here: once it is dead nothing comes
 * back, so that whatever it was about to do stays undone.
 */
export class Life {
  readonly #schedule: Schedule;
  readonly #inHand = new Set<InHand>();
  readonly #dying = new Set<() => void>();
  #alive = true;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Calls `act` after so long, unless it is called off or the process is dead by then. */
  after(ms: number, act: () => void): () => void {
    return this.#schedule.after(ms, () => {
      if (this.#alive) act();
    });
  }

  /** Resolves with what `act` says when the time is over; rejects with what it throws. */
  work<T>(ms: number, act: () => T): Promise<T> {
    if (!this.#alive) return never();
    return new Promise((resolve, reject) => {
      const callOff = this.#schedule.after(ms, () => {
        this.#inHand.delete(inHand);
        try {
          resolve(act());
        } catch (error) {
          reject(error as Error);
        }
      });
      const inHand: InHand = { act, callOff };
      this.#inHand.add(inHand);
    });
  }

  /** What is there at once, for a process that is there to take it. */
  now<T>(value: T): Promise<T> {
    return this.#alive ? Promise.resolve(value) : never();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const callOff = this.after(ms, () => {
        stop();
        resolve();
      });
      const stop = whenAborted(signal, () => {
        callOff();
        reject(signal.reason as Error);
      });
    });
  }

  /** Returns a way to take it back. */
  onEnd(act: () => void): () => void {
    this.#dying.add(act);
    return () => this.#dying.delete(act);
  }

  /** kill -9: of what was asked for, some happens all the same. */
  end(random: Random): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const { act, callOff } of this.#inHand) {
      callOff();
      if (random.chance(0.5)) ignoringErrors(act);
    }
    this.#inHand.clear();
    for (const act of this.#dying) act();
  }
}

/** Nobody is left to be told that it went wrong. */
function ignoringErrors(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** What nobody is there to hear. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}
