interface Turn {
  readonly keys: ReadonlySet<string>;
  readonly over: Promise<void>;
}

/** Lets what shares a key go one after the other, in the order of asking; the rest goes at once. */
export class Turns {
  readonly #taken = new Set<Turn>();

  /** Resolves when it is this one's turn. Call the result when it is over, or has been given up. */
  take(keys: ReadonlySet<string>): { readonly come: Promise<void>; readonly over: () => void } {
    const before = [...this.#taken].filter((turn) => [...turn.keys].some((key) => keys.has(key)));
    let end = (): void => undefined;
    const turn = { keys, over: new Promise<void>((resolve) => (end = resolve)) };
    this.#taken.add(turn);
    return {
      come: Promise.all(before.map((one) => one.over)).then(() => undefined),
      over: () => {
        this.#taken.delete(turn);
        end();
      },
    };
  }
}
