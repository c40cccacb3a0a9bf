export interface GroupLimits<I> {
  readonly most: number;
  /** Of all in a group together; one that is heavier goes alone. */
  readonly heaviest: number;
  readonly weigh: (item: I) => number;
}

interface Waiting<I, O> {
  readonly item: I;
  readonly done: (result: O) => void;
  readonly refused: (error: unknown) => void;
}

/**
 * Does with one what `act` does with many, in groups: what comes while one group is in hand is the next group. When `act`
 * fails with a group it must have done nothing, and each of the group is done on its own. Its answers are in their order.
 */
export function inGroups<I, O>(
  act: (group: readonly I[]) => Promise<readonly O[]>,
  limits: GroupLimits<I>,
): (item: I) => Promise<O> {
  const waiting: Waiting<I, O>[] = [];
  let working = false;

  const workOff = async (): Promise<void> => {
    working = true;
    while (waiting.length > 0) await doGroup(act, waiting.splice(0, sizeOfNext(waiting, limits)));
    working = false;
  };
  return (item) =>
    new Promise<O>((done, refused) => {
      waiting.push({ item, done, refused });
      if (!working) void workOff();
    });
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
): Promise<void> {
  if (group.length > 1 && (await doTogether(act, group))) return;
  await Promise.all(
    group.map(async ({ item, done, refused }) => {
      await act([item]).then(([result]) => done(result as O), refused);
    }),
  );
}

async function doTogether<I, O>(
  act: (group: readonly I[]) => Promise<readonly O[]>,
  group: readonly Waiting<I, O>[],
): Promise<boolean> {
  try {
    const results = await act(group.map(({ item }) => item));
    group.forEach(({ done }, index) => done(results[index] as O));
    return true;
  } catch {
    // Whose fault it was is found out by doing each on its own, which tells it.
    return false;
  }
}
