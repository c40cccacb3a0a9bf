import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Ledger } from '../deployments/ledger.js';
import { parseFraises } from '../fraises/parse-fraises.js';

/** What is configured now; null when nothing was ever applied. */
export type ReadConfiguration = (
  ledger: Pick<Ledger, 'currentConfiguration'>,
) => Promise<AppliedConfiguration | null>;

/** Reads the newest revision each time, but parses each revision once: a revision never changes. */
export function configurationReader(): ReadConfiguration {
  let last: AppliedConfiguration | null = null;
  return async (ledger) => {
    const stored = await ledger.currentConfiguration();
    if (stored === null) return null;
    if (last?.revision !== stored.revision) {
      const { configuration } = parseFraises(stored.text, stored.fileName);
      last = { revision: stored.revision, configuration };
    }
    return last;
  };
}
