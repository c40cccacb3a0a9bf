import type { BatchSize, HostCount, Rollout } from '../fraises/fraises.js';

/** Hosts in each batch in turn, the last number for all that follow: the canaries first. A percentage is of all hosts, rounded up. */
export function batchSizesOf({ strategy, canary, batch }: Rollout, count: number): readonly number[] {
  if (strategy === 'all_at_once') return [count];
  const sizes = batch.map((size) => hostsIn(size, count));
  return canary > 0 ? [canary, ...sizes] : sizes;
}

/** The batch (from 0) of each host, given by its zone, in the order of release. A batch ends where another zone begins. */
export function dealBatches(zones: readonly string[], sizes: readonly number[]): readonly number[] {
  const numbers: number[] = [];
  let batch = 0;
  let members = 0;
  zones.forEach((zone, at) => {
    const isFull = members === sizes[Math.min(batch, sizes.length - 1)];
    if (at > 0 && (isFull || zone !== zones[at - 1])) {
      batch += 1;
      members = 0;
    }
    members += 1;
    numbers.push(batch);
  });
  return numbers;
}

/** How many hosts may fail of so many; never more than was said. */
export function atMost(size: HostCount, count: number): number {
  return typeof size === 'number' ? size : Math.floor((Number.parseInt(size, 10) * count) / 100);
}

/** How many hosts that are at least; never fewer than was said. */
export function hostsIn(size: BatchSize | HostCount, count: number): number {
  return typeof size === 'number' ? size : Math.ceil((Number.parseInt(size, 10) * count) / 100);
}
