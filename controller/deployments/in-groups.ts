export interface GroupLimits<I> {
  readonly most: number;
  /** Of all in a group together; one that is heavier goes alone. */
  readonly heaviest: number;
  readonly weigh: (item: I) => number;
  /** Whether a group may have failed for what one of it is; absent: always. */
  readonly isOfOne?: (error: unknown) => boolean;
}

interface Waiting<I, O> {
  readonly item: I;
  readonly done: (result: O) => void;
  readonly refused: (error: unknown) => void;
}

/**
 * Does with one what `act` does with many, in groups: what comes while one group is in hand is the next group. When `act`
 * fails with a group it must have done nothing, and each of the group is done on its own, unless it would be of no use. Its
 * answers are in their order.
 */
export function inGroups<I, O>(
  act: (group: readonly I[]) => Promise<readonly O[]>,
  limits: GroupLimits<I>,
): (item: I) => Promise<O> {
  const waiting: Waiting<I, O>[] = [];
  let working = false;

  const workOff = async (): Promise<void> => {
    working = true;
    while (waiting.length > 0) await doGroup(act, waiting.splice(0, sizeOfNext(waiting, limits)), limits);
    working = false;
  };
  return (item) =>
    new Promise<O>((done, refused) => {
      waiting.push({ item, done, refused });
      if (!working) void workOff();
    });
}

/** As `inGroups`; what is of one key is never in one group with, and never waits for, what is of another. */
export function inGroupsByKey<I, O>(
  act: (group: readonly I[]) => Promise<readonly O[]>,
  limits: GroupLimits<I>,
): (key: string, item: I) => Promise<O> {
  const lanes = new Map<string, { readonly put: (item: I) => Promise<O>; inHand: number }>();
  return async (key, item) => {
    const lane = lanes.get(key) ?? { put: inGroups(act, limits), inHand: 0 };
    lanes.set(key, lane);
    lane.inHand += 1;
    try {
      return await lane.put(item);
    } finally {
      lane.inHand -= 1;
      if (lane.inHand === 0) lanes.delete(key);
    }
  };
}

function sizeOfNext<I, O>(
  waiting: readonly Waiting<I, O>[],
  { most, heaviest, weigh }: GroupLimits<I>,
): number {
  let weight = 0;
  const tooMuch = waiting.findIndex(({ item }) => (weight += weigh(item)) > heaviest);
  return Math.min(most, tooMuch < 0 ? waiting.length : Math.max(1, tooMuch));
}

/** Never throws: each of the group is told. */
async function doGroup<I, O>(
  act: (group: readonly I[]) => Promise<readonly O[]>,
  group: readonly Waiting<I, O>[],
  limits: GroupLimits<I>,
): Promise<void> {
  try {
    const results = await act(group.map(({ item }) => item));
    group.forEach(({ done }, index) => done(results[index] as O));
  } catch (error) {
    // Whose fault it was is found out by doing each on its own, which tells it.
    if (group.length > 1 && (limits.isOfOne?.(error) ?? true))
      await Promise.all(group.map((one) => doGroup(act, [one], limits)));
    else group.forEach(({ refused }) => refused(error));
  }
}
