import type { DeploymentRow, Ledger } from './ledger.js';
import type { DeploymentStatus } from './lifecycle.js';

/** Notifications about a deployment. */
export const DEPLOYMENT_TOPICS = ['deployment_queued', 'deployment_started', 'deployment_ended'] as const;

/**
 * Puts into the outbox that a deployment got to `status`; leaves with the transaction. It is about the commit in its
 * environment, so that what an older deployment of it has to say never replaces what a newer one said.
 */
export async function tell(
  tx: Pick<Ledger, 'outbox'>,
  topic: (typeof DEPLOYMENT_TOPICS)[number],
  { id, fraise, environment, commit }: Pick<DeploymentRow, 'id' | 'fraise' | 'environment' | 'commit'>,
  status: DeploymentStatus,
): Promise<void> {
  const about = `${fraise}/${environment}@${commit}`;
  await tx.outbox({ topic, about, payload: { deployment: id, status } });
}
