import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { NewNotification } from './ledger/outbox.js';
import type { DeploymentStatus } from './lifecycle.js';

/** Notifications about a deployment. */
export const DEPLOYMENT_TOPICS = ['deployment_queued', 'deployment_started', 'deployment_ended'] as const;

type Told = Pick<DeploymentRow, 'id' | 'fraise' | 'environment' | 'commit'>;

/**
 * Puts into the outbox that a deployment got to `status`; leaves with the transaction. It is about the commit in its
 * environment, so that what an older deployment of it has to say never replaces what a newer one said.
 */
export async function tell(
  tx: Pick<Ledger, 'outbox'>,
  topic: (typeof DEPLOYMENT_TOPICS)[number],
  deployment: Told,
  status: DeploymentStatus,
): Promise<void> {
  await tx.outbox(notificationOf(topic, deployment, status));
}

/** What `tell` puts into the outbox. */
export function notificationOf(
  topic: (typeof DEPLOYMENT_TOPICS)[number],
  { id, fraise, environment, commit }: Told,
  status: DeploymentStatus,
): NewNotification {
  return { topic, about: `${fraise}/${environment}@${commit}`, payload: { deployment: id, status } };
}
