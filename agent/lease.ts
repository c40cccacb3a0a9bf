import type { Clock } from './clock.js';
import { Wakeup } from './wakeup.js';

/**
 * Until when the controller counts on this agent. Renewed by the connection, counted from the moment the acknowledged
 * Ping was sent, so it ends here before it ends in the record.
 */
export class Lease {
  readonly #clock: Clock;
  readonly #renewed = new Wakeup();
  #validUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get valid(): boolean {
    return this.#clock.uptimeMs() < this.#validUntilMs;
  }

  /** `sentAtMs` is the clock's uptime when the Ping (or Hello) that is answered now was sent. */
  renew(sentAtMs: number, validForMs: number): void {
    this.#validUntilMs = Math.max(this.#validUntilMs, sentAtMs + validForMs);
    this.#renewed.notify();
  }

  /** The controller said that it does not count on this agent any more. */
  end(): void {
    this.#validUntilMs = 0;
  }

  /** Returns while the lease is valid; rejects with the signal's reason. */
  async untilValid(signal: AbortSignal): Promise<void> {
    for (let version = this.#renewed.version; !this.valid; version = this.#renewed.version) {
      await this.#renewed.wait(version, signal);
    }
  }
}
