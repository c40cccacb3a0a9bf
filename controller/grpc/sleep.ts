import type { Edges } from '../deployments/edges.js';

/**
 * Waits this long, or less when `signal` aborts or the function handed to `expose` is called; never throws.
 * Leaves no timer and no listener behind.
 */
export function sleepUntilAborted(
  { after }: Pick<Edges, 'after'>,
  ms: number,
  signal: AbortSignal,
  expose: (wake: () => void) => void = () => undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = after(ms, done);
    signal.addEventListener('abort', done, { once: true });
    expose(done);
    if (signal.aborted) done();
  });
}
