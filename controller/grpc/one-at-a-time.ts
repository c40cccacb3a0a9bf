import { atMost } from './at-most.js';

/**
 * Does one thing at a time of each key; what comes meanwhile waits, in the order in which it came, and what is of another key
 * does not. What is of several keys waits for each of them.
 */
export function oneAtATime(): <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T> {
  const lanes = new Map<string, { readonly inTurn: ReturnType<typeof atMost>; inHand: number }>();
  const inLane = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const lane = lanes.get(key) ?? { inTurn: atMost(1), inHand: 0 };
    lanes.set(key, lane);
    lane.inHand += 1;
    try {
      return await lane.inTurn(work);
    } finally {
      lane.inHand -= 1;
      if (lane.inHand === 0) lanes.delete(key);
    }
  };
  const inLanes = async <T>([key, ...others]: readonly string[], work: () => Promise<T>): Promise<T> =>
    key === undefined ? await work() : await inLane(key, () => inLanes(others, work));
  // In one order for everybody, so that two never wait for each other.
  return (keys, work) => inLanes([...new Set(keys)].sort(), work);
}
