const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** Exponential back-off with full jitter, counted from the failure; `random` is uniform in [0, 1). */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** How long to wait after one more failure, in ms: up to 0.5 s, 1 s, 2 s … 30 s. */
  next(): number {
    const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    return Math.round(this.#random() * most);
  }

  /** It worked: begin again. */
  reset(): void {
    this.#failures = 0;
  }
}
