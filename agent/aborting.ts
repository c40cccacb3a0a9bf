/** Acts once when the signal aborts, at once if it has; the result takes the wish back. */
export function whenAborted(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}

/** Waits for the first of `signals` to abort, or for `work`, whose result it has then; leaves no listener behind. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signals: readonly AbortSignal[],
): Promise<T | undefined> {
  let stops: (() => void)[] = [];
  try {
    const first = new Promise<undefined>((resolve) => {
      stops = signals.map((signal) => whenAborted(signal, () => resolve(undefined)));
    });
    return await Promise.race([work, first]);
  } finally {
    for (const stop of stops) stop();
  }
}
