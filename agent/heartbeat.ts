import type { FromAgent } from '../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../proto/error-codes.js';
import type { Clock } from './clock.js';
import type { Lease } from './lease.js';

/** Renews the lease over one stream, three times within its length, and notices when nobody answers. */
export class Heartbeat {
  readonly #ports: { readonly clock: Clock; readonly lease: Lease };
  readonly #leaseMs: number;
  readonly #sentAtMs = new Map<number, number>();
  #number = 0;
  #answeredAtMs: number;

  constructor(ports: { readonly clock: Clock; readonly lease: Lease }, leaseMs: number) {
    this.#ports = ports;
    this.#leaseMs = leaseMs;
    this.#answeredAtMs = ports.clock.uptimeMs();
  }

  /** Whether the controller has answered a Ping. */
  get answered(): boolean {
    return this.#number > this.#sentAtMs.size;
  }

  /** Pings until `signal` aborts; throws FraisierError `controller_away` when no Pong came for as long as the lease. */
  async run(
    send: (message: NonNullable<FromAgent['message']>) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const { clock } = this.#ports;
    for (;;) {
      this.#number += 1;
      this.#sentAtMs.set(this.#number, clock.uptimeMs());
      // Not waited for: a stream that takes nothing is found out by its silence, and its own end comes from its messages.
      send({ $case: 'ping', value: { number: this.#number } }).catch(() => undefined);
      const silentAt = this.#answeredAtMs + this.#leaseMs;
      await clock.sleep(Math.max(1, Math.min(this.#leaseMs / 3, silentAt - clock.uptimeMs())), signal);
      if (clock.uptimeMs() - this.#answeredAtMs >= this.#leaseMs) throw silence(this.#leaseMs);
    }
  }

  pong(number: number): void {
    const sentAtMs = this.#sentAtMs.get(number);
    if (sentAtMs === undefined) return;
    for (const earlier of [...this.#sentAtMs.keys()].filter((one) => one <= number))
      this.#sentAtMs.delete(earlier);
    this.#answeredAtMs = this.#ports.clock.uptimeMs();
    this.#ports.lease.renew(sentAtMs, this.#leaseMs);
  }
}

function silence(leaseMs: number): FraisierError {
  return new FraisierError('controller_away', `the controller has not answered for ${leaseMs / 1000} s`);
}
