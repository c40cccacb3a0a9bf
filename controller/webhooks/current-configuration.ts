import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Ledger } from '../deployments/ledger.js';
import { parseFraises } from '../fraises/parse-fraises.js';

/** What is configured now; null when nothing was ever applied. */
export type ReadConfiguration = (
  ledger: Pick<Ledger, 'currentConfiguration'>,
) => Promise<AppliedConfiguration | null>;

/**
 * Reads the newest revision each time, but parses each revision once: a revision never changes. Always of the same
 * ledger; those who ask while it is being read share the next reading, which begins after they asked.
 */
export function configurationReader(): ReadConfiguration {
  let last: AppliedConfiguration | null = null;
  const read = together((ledger: Parameters<ReadConfiguration>[0]) => ledger.currentConfiguration());
  return async (ledger) => {
    const stored = await read(ledger);
    if (stored === null) return null;
    if (last?.revision !== stored.revision) {
      const { configuration } = parseFraises(stored.text, stored.fileName);
      last = { revision: stored.revision, configuration };
    }
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
