import { Worker } from 'node:worker_threads';
import type { Outcome } from './simulate.js';

export interface Seeds {
  readonly first: number;
  readonly count: number;
  /** Threads side by side. */
  readonly workers: number;
}

/** What a worker is told at its start. */
export interface Share {
  readonly seeds: readonly number[];
}

/** What a killed process still waits for is never let go of by the runtime: after so many seeds a thread is begun anew. */
const SEEDS_PER_WORKER = 100;

/**
 * Tells every seed, in several threads; `report` is called as they end, and says whether to go on. Throws what broke the
 * simulator itself.
 */
export async function simulateMany(
  { first, count, workers }: Seeds,
  report: (outcome: Outcome) => boolean,
): Promise<void> {
  const left = Array.from({ length: count }, (_, at) => first + at);
  const atOnce = Math.max(1, Math.min(workers, count));
  const share = Math.min(SEEDS_PER_WORKER, Math.ceil(count / atOnce));
  const all = new Set<Worker>();
  let enough = false;
  const take = (outcome: Outcome): void => {
    if (enough || report(outcome)) return;
    enough = true;
    for (const one of all) void one.terminate();
  };
  const thread = async (): Promise<void> => {
    while (!enough && left.length > 0) await work({ seeds: left.splice(0, share) }, all, take, () => enough);
  };
  await Promise.all(Array.from({ length: atOnce }, thread));
}

function work(
  workerData: Share,
  all: Set<Worker>,
  take: (outcome: Outcome) => void,
  isEnough: () => boolean,
): Promise<void> {
  const worker = new Worker(new URL('seed-worker.js', import.meta.url), { workerData });
  all.add(worker);
  worker.on('message', take);
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      all.delete(worker);
      if (code === 0 || isEnough()) resolve();
      else reject(new Error(`a worker ended with ${code}`));
    });
  });
}
