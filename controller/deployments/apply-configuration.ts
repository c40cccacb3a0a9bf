import type { ApplyConfigurationResponse } from '../../proto/gen/fraisier/v1/control.js';
import { differences } from '../fraises/differences.js';
import { parseFraises } from '../fraises/parse-fraises.js';
import type { Actor, Edges } from './edges.js';

export interface NewConfiguration {
  /** As on disk: `${NAME}` stays as written and is never resolved into the ledger. */
  readonly text: string;
  readonly fileName: string;
  readonly dryRun: boolean;
}

/**
 * Applies a configuration whole or not at all. Throws `invalid_configuration` with every problem's file:line:column.
 * The same text again changes nothing and answers with the revision in force.
 */
export async function applyConfiguration(
  { ledger }: Edges,
  { text, fileName, dryRun }: NewConfiguration,
  actor: Actor,
): Promise<ApplyConfigurationResponse> {
  const { configuration, warnings } = parseFraises(text, fileName);
  return ledger.transaction(async (tx) => {
    const before = await tx.currentConfiguration();
    if (before !== null && before.text === text) {
      return { revision: before.revision, changed: false, differences: [], warnings };
    }
    const parsedBefore = before === null ? null : parseFraises(before.text, before.fileName).configuration;
    const changes = differences(parsedBefore, configuration);
    if (dryRun) return { revision: 0, changed: true, differences: changes, warnings };
    const { revision } = await tx.insertConfiguration({ text, fileName, appliedBy: actor.name });
    const facts = { revision: String(revision), file: fileName };
    await tx.audit({
      actor: actor.name,
      action: 'configuration_applied',
      subject: `configuration ${revision}`,
      facts,
    });
    return { revision, changed: true, differences: changes, warnings };
  });
}
