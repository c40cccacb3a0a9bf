/**
 * Aborts at the first SIGTERM or SIGINT; the second one ends the process at once. `release` gives the signals back.
 */
export function stopSignal(target: NodeJS.Process): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) target.exit(name === 'SIGINT' ? 130 : 143);
    stop.abort();
  };
  target.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const release = (): void => {
    target.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  };
  return { signal: stop.signal, release };
}
