/** What arrived and is not worked on yet, for one reader who takes all of it at once. */
export class Mailbox<T> {
  #waiting: T[] = [];
  #closed = false;
  #wake: () => void = () => undefined;

  put(message: T): void {
    this.#waiting.push(message);
    this.#wake();
  }

  /** Nothing more will come; what is in it can still be taken. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Waits until there is something and takes all of it, in order; null once it is closed and empty. */
  async take(signal: AbortSignal): Promise<readonly T[] | null> {
    while (this.#waiting.length === 0) {
      signal.throwIfAborted();
      if (this.#closed) return null;
      await this.#arrival(signal);
    }
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}
