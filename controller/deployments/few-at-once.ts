/** Git servers drop connections that come in a burst: `git daemon` beyond 32, sshd from 10 that have not logged in. */
export const ASKED_AT_ONCE = 8;

/** What `act` says of each, in their order, with at most so many in hand at a time. Rejects as the first that does; no more are begun then. */
export async function fewAtOnce<From, To>(
  all: readonly From[],
  most: number,
  act: (one: From) => Promise<To>,
): Promise<readonly To[]> {
  const answers: To[] = [];
  let next = 0;
  const giveUp = (error: unknown): never => {
    next = all.length;
    throw error;
  };
  const work = async (): Promise<void> => {
    while (next < all.length) {
      const at = next;
      next += 1;
      answers[at] = await act(all[at] as From).catch(giveUp);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, all.length) }, work));
  return answers;
}
