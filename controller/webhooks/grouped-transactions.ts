import type { Ledger } from '../deployments/ledger.js';

type Work = (tx: Ledger) => Promise<unknown>;

interface Waiting {
  readonly work: Work;
  readonly done: (result: unknown) => void;
  readonly refused: (error: unknown) => void;
}

/** More would hold the locks of the fraises too long. */
const MOST_TOGETHER = 64;

/**
 * The same ledger, whose transactions share a commit: what is asked for while one group commits is the next group, one
 * after the other in one transaction. A promise is kept only after that commit. When one of a group fails, nothing
 * of the group is kept and each is done again on its own: `work` may be called twice, and must not mind.
 */
export function groupedTransactions(ledger: Ledger): Ledger {
  const waiting: Waiting[] = [];
  let committing = false;

  const commitAll = async (): Promise<void> => {
    committing = true;
    while (waiting.length > 0) await commitGroup(ledger, waiting.splice(0, MOST_TOGETHER));
    committing = false;
  };
  return {
    ...ledger,
    transaction: <T>(work: (tx: Ledger) => Promise<T>) =>
      new Promise<T>((done, refused) => {
        waiting.push({ work, done: done as Waiting['done'], refused });
        if (!committing) void commitAll();
      }),
  };
}

/** Never throws: each of the group is told. */
async function commitGroup(ledger: Ledger, group: readonly Waiting[]): Promise<void> {
  if (group.length > 1 && (await commitTogether(ledger, group))) return;
  await Promise.all(group.map(({ work, done, refused }) => ledger.transaction(work).then(done, refused)));
}

async function commitTogether(ledger: Ledger, group: readonly Waiting[]): Promise<boolean> {
  try {
    const results = await ledger.transaction(async (tx) => {
      const made: unknown[] = [];
      for (const { work } of group) made.push(await work(tx));
      return made;
    });
    group.forEach(({ done }, index) => done(results[index]));
    return true;
  } catch {
    // Whose fault it was is found out by doing each on its own, which tells it.
    return false;
  }
}
