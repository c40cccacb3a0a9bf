import type { BatchSize, Rollout } from '../fraises/fraises.js';

/**
 * The batch (from 0) of each of `count` hosts, in the order of release: the canaries first, then batches of the sizes in
 * turn, the last size again and again. A percentage is of all hosts, rounded up.
 */
export function batchesOf({ strategy, canary, batch }: Rollout, count: number): readonly number[] {
  if (strategy === 'all_at_once') return Array.from({ length: count }, () => 0);
  const numbers: number[] = [];
  for (let next = 0; numbers.length < count; next += 1) {
    const sized = canary > 0 ? next - 1 : next;
    const size = sized < 0 ? canary : hostsIn(batch[Math.min(sized, batch.length - 1)] as BatchSize, count);
    for (let i = 0; i < size && numbers.length < count; i += 1) numbers.push(next);
  }
  return numbers;
}

function hostsIn(size: BatchSize, count: number): number {
  return typeof size === 'number' ? size : Math.ceil((Number.parseInt(size, 10) * count) / 100);
}
