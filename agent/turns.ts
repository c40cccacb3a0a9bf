import { whenAborted } from './aborting.js';

interface Turn {
  readonly keys: ReadonlySet<string>;
  /** Aborts when it is over. */
  readonly over: AbortSignal;
}

/** Lets what shares a key go one after the other, in the order of asking; the rest goes at once. */
export class Turns {
  readonly #taken = new Set<Turn>();

  /** `come` resolves when it is this one's turn. Call `over` when it is, or has been given up. */
  take(keys: ReadonlySet<string>): { readonly come: Promise<void>; readonly over: () => void } {
    const before = [...this.#taken].filter((turn) => [...turn.keys].some((key) => keys.has(key)));
    const end = new AbortController();
    const turn = { keys, over: end.signal };
    this.#taken.add(turn);
    return {
      come: Promise.all(before.map(isOver)).then(() => undefined),
      over: () => {
        this.#taken.delete(turn);
        end.abort();
      },
    };
  }
}

function isOver({ over }: Turn): Promise<void> {
  return new Promise((resolve) => {
    whenAborted(over, resolve);
  });
}
