import { whenAborted } from './aborting.js';
import type { Clock } from './clock.js';

/**
 * Tells waiters that something changed and should be read again. Take `version` before reading and hand it to
 * `wait`: a change in between returns at once, so none is lost.
 */
export class Wakeup {
  #version = 0;
  #waiting = new Set<() => void>();

  get version(): number {
    return this.#version;
  }

  notify(): void {
    this.#version += 1;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  /** Returns after a notify since `version`, or after `atMost` when given; rejects with the signal's reason. */
  async wait(
    version: number,
    signal: AbortSignal,
    atMost?: { readonly clock: Clock; readonly ms: number },
  ): Promise<void> {
    signal.throwIfAborted();
    if (version !== this.#version) return;
    if (atMost === undefined) return this.#changed(signal);
    const timer = new AbortController();
    try {
      await this.#changed(signal, atMost.clock.sleep(atMost.ms, timer.signal));
    } finally {
      timer.abort(WAITED);
    }
  }

  #changed(signal: AbortSignal, late?: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        stop();
        resolve();
      };
      this.#waiting.add(wake);
      const stop = whenAborted(signal, () => {
        this.#waiting.delete(wake);
        reject(signal.reason as Error);
      });
      late?.then(wake, reject);
    });
  }
}

/** Nobody sees why a wait that is over lets go; an error made for each would cost more than the wait. */
const WAITED = 'waited';
