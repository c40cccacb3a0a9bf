import { FraisierError } from '../../proto/error-codes.js';
import type { Configuration } from '../fraises/fraises.js';
import { parseFraises } from '../fraises/parse-fraises.js';
import type { ConfigurationRevision, Ledger } from './ledger.js';

/** A configuration together with the number under which it was applied. */
export interface AppliedConfiguration {
  readonly revision: number;
  readonly configuration: Configuration;
}

/** The configuration in force. Throws `no_configuration` when none was ever applied. */
export async function currentConfiguration(ledger: Ledger): Promise<AppliedConfiguration> {
  const found = await ledger.currentConfiguration();
  if (found === null) {
    throw new FraisierError('no_configuration', 'no configuration has been applied to this controller yet', {
      hint: 'fraisier apply fraises.yaml',
    });
  }
  return parsed(found);
}

/** The configuration a deployment was queued under; revisions are never removed while one names them. */
export async function configurationOf(ledger: Ledger, revision: number): Promise<AppliedConfiguration> {
  const found = await ledger.configurationRevision(revision);
  if (found === null) throw new Error(`configuration ${revision} is not in the ledger`);
  return parsed(found);
}

function parsed(row: ConfigurationRevision): AppliedConfiguration {
  return { revision: row.revision, configuration: parseFraises(row.text, row.fileName).configuration };
}
