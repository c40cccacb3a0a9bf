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
    const over = new AbortController();
    const stop = whenAborted(signal, () => over.abort(signal.reason));
    try {
      const changed = new Promise<void>((resolve, reject) => {
        this.#waiting.add(resolve);
        whenAborted(over.signal, () => {
          this.#waiting.delete(resolve);
          reject(over.signal.reason as Error);
        });
      });
      await (atMost === undefined
        ? changed
        : Promise.race([changed, atMost.clock.sleep(atMost.ms, over.signal)]));
    } finally {
      stop();
      over.abort();
    }
  }
}
