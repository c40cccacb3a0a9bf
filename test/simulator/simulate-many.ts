import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './simulate.js';

export interface Seeds {
  readonly first: number;
  readonly count: number;
  /** Threads side by side. */
  readonly workers: number;
}

/** What a killed process still waits for is never let go of by the runtime: after so many seeds a thread is begun anew. */
const SEEDS_PER_WORKER = 250;

/**
 * Tells every seed, in several threads; `report` is called as they end, and says whether to go on. Throws what broke the
 * simulator itself.
 */
export async function simulateMany(
  { first, count, workers }: Seeds,
  report: (outcome: Outcome) => boolean,
): Promise<void> {
  const enough = new AbortController();
  let seed = first;
  const next = (): number | null => {
    if (enough.signal.aborted || seed >= first + count) return null;
    seed += 1;
    return seed - 1;
  };
  const take = (outcome: Outcome): void => {
    if (!enough.signal.aborted && !report(outcome)) enough.abort();
  };
  const inTurn = async (): Promise<void> => {
    while (!enough.signal.aborted && seed < first + count) await work(next, take, enough.signal);
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(workers, count)) }, inTurn));
}

/** One thread for as long as it may live. Each takes the next seed when it is done with one, so none waits long for another. */
async function work(
  next: () => number | null,
  take: (outcome: Outcome) => void,
  enough: AbortSignal,
): Promise<void> {
  const worker = new Worker(new URL('seed-worker.js', import.meta.url));
  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`a worker ended with ${String(code)}`);
  });
  ended.catch(() => undefined);
  try {
    for (let told = 0; told < SEEDS_PER_WORKER; told += 1) {
      const seed = next();
      if (seed === null) return;
      worker.postMessage(seed);
      const [outcome] = await Promise.race([once(worker, 'message', { signal: enough }), ended]);
      take(outcome as Outcome);
    }
  } catch (error) {
    if (!enough.aborted) throw error;
  } finally {
    await worker.terminate();
  }
}
