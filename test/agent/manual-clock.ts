import { whenAborted } from '../../agent/aborting.js';
import type { Clock } from '../../agent/clock.js';

/** Time that passes only when it is told to. */
export class ManualClock implements Clock {
  #nowMs = Date.parse('2026-11-23T10:00:00Z');
  #uptimeMs = 5_000;
  #sleeping = new Set<{ untilMs: number; wake: () => void }>();

  now(): Date {
    return new Date(this.#nowMs);
  }

  uptimeMs(): number {
    return this.#uptimeMs;
  }

  /** No time at all passes by itself. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 && !signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#uptimeMs + ms, wake: resolve };
      this.#sleeping.add(sleeper);
      whenAborted(signal, () => {
        this.#sleeping.delete(sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** How many sleep for this long or longer. */
  sleepers(atLeastMs = 0): number {
    return [...this.#sleeping].filter(({ untilMs }) => untilMs - this.#uptimeMs >= atLeastMs).length;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    this.#uptimeMs += ms;
    for (const sleeper of [...this.#sleeping].filter(({ untilMs }) => untilMs <= this.#uptimeMs)) {
      this.#sleeping.delete(sleeper);
      sleeper.wake();
    }
  }
}
