import { reason } from '../../proto/error-codes.js';
import type { DeploymentRow, Ledger } from '../deployments/ledger.js';
import { tell } from '../deployments/tell.js';

/** Ends a queued push, in favour of a newer one. */
export async function supersede(tx: Ledger, older: DeploymentRow, newer: DeploymentRow): Promise<void> {
  const why = reason('superseded', `superseded by ${newer.id}, a newer push: ${newer.commit.slice(0, 12)}`, {
    hint: `fraisier show ${newer.id}`,
    facts: { by: newer.id, commit: newer.commit },
  });
  await tx.moveDeployment(older.id, 'queued', 'superseded', { reason: why, finished: true });
  // Of the same commit the newer one has the word.
  if (older.commit !== newer.commit) await tell(tx, 'deployment_ended', older, 'superseded');
  await tx.wake({ about: 'deployment', id: older.id });
}
