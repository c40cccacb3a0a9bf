import type { Logger } from './logger.js';

/** What was opened, to be closed in the opposite order. */
export class Closers {
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  push(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Closes everything, also when something fails to close; that is logged, because the end goes on without it. */
  async closeAll(): Promise<void> {
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop()) {
      const { name, close } = next;
      await Promise.resolve()
        .then(close)
        .catch((error: unknown) => this.#logger.warn({ err: error, part: name }, 'part did not close well'));
    }
  }
}
