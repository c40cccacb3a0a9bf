/** Does what it is given, no more than `most` at once; what comes meanwhile waits, and goes in the order in which it came. */
export function atMost(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let atWork = 0;
  return async (work) => {
    // Whoever ends hands its place on, so that nobody who comes later is faster.
    if (atWork >= most) await new Promise<void>((turn) => waiting.push(turn));
    else atWork += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) atWork -= 1;
      else next();
    }
  };
}
