/** One thing that will happen. */
interface Due {
  readonly atMs: number;
  readonly order: number;
  act: (() => void) | null;
}

/**
 * Virtual time: what is due happens one after the other, each only when everything that the one before it set off has
 * come to rest. Nothing here waits for real time.
 */
export class Schedule {
  #nowMs = 0;
  #order = 0;
  /** How many things happened. */
  happened = 0;
  readonly #heap: Due[] = [];
  readonly #rest = new Rest();

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Returns a way to call it off. */
  after(ms: number, act: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + Math.max(0, ms), order: (this.#order += 1), act };
    push(this.#heap, due);
    return () => {
      due.act = null;
    };
  }

  /** Lets everything happen until `untilMs`, or until `over`, asked after each, says so. */
  async run(untilMs: number, over: () => boolean): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      pop(this.#heap);
      if (next.act === null) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.happened += 1;
      next.act();
      await this.#rest.come();
      if (over()) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}

/** So many immediates are asked for at once: a round of the runtime's loop for each costs more than most of what happens. */
const AT_ONCE = 100;

/** Comes when no promise that could go on by itself is left, which is when the runtime gets to the next immediate. */
class Rest {
  #asked = 0;
  #go: () => void = () => undefined;

  come(): Promise<void> {
    if (this.#asked === 0) for (; this.#asked < AT_ONCE; this.#asked += 1) setImmediate(this.#next);
    return new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  readonly #next = (): void => {
    this.#asked -= 1;
    this.#go();
  };
}

function isBefore(one: Due, other: Due): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Due;
    if (!isBefore(due, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const less = right < heap.length && isBefore(heap[right] as Due, heap[left] as Due) ? right : left;
    if (!isBefore(heap[less] as Due, last)) break;
    heap[at] = heap[less] as Due;
    at = less;
  }
  heap[at] = last;
}
