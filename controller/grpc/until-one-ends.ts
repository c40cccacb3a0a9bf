/**
 * Runs the loops side by side until one of them ends or throws, or `outer` aborts; the others are then aborted and
 * waited for. Throws what was thrown first, and nothing for what the abort itself made them throw.
 */
export async function untilOneEnds(
  outer: AbortSignal,
  loops: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const over = new AbortController();
  const abort = (): void => over.abort();
  outer.addEventListener('abort', abort, { once: true });
  if (outer.aborted) abort();
  const failures: unknown[] = [];
  const run = async (loop: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await loop(over.signal);
    } catch (error) {
      if (!over.signal.aborted) failures.push(error);
    } finally {
      abort();
    }
  };
  await Promise.all(loops.map(run));
  outer.removeEventListener('abort', abort);
  if (failures.length > 0) throw failures[0];
}
