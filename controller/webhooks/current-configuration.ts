import { parsed, type AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';

/** What is configured now; null when nothing was ever applied. */
export type ReadConfiguration = (
  ledger: Pick<Ledger, 'currentConfiguration'>,
) => Promise<AppliedConfiguration | null>;

/**
 * Looks for a newer revision each time, and reads and parses each once. Always of the same ledger; those who ask while it
 * is being asked share the next answer, which is to a question put after theirs.
 */
export function configurationReader(before?: Edges['parsed']): ReadConfiguration {
  let last: AppliedConfiguration | null = null;
  const read = together((ledger: Parameters<ReadConfiguration>[0]) =>
    ledger.currentConfiguration(last?.revision),
  );
  return async (ledger) => {
    const newer = await read(ledger);
    if (newer !== null && newer.revision !== last?.revision) last = parsed(newer, before);
    return last;
  };
}

/** As `act`, but whoever calls while it is under way shares one call with all others that do. */
function together<A, T>(act: (argument: A) => Promise<T>): (argument: A) => Promise<T> {
  let running: Promise<unknown> | null = null;
  let next: Promise<T> | null = null;
  const start = (argument: A): Promise<T> => {
    const mine = act(argument).finally(() => {
      if (running === mine) running = null;
    });
    running = mine;
    return mine;
  };
  return (argument) => {
    if (running === null) return start(argument);
    next ??= running.then(ignore, ignore).then(() => {
      next = null;
      return start(argument);
    });
    return next;
  };
}

function ignore(): void {}
