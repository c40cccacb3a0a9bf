import type { Received } from '../../controller/webhooks/accept-deliveries.js';
import { github } from '../../controller/webhooks/github.js';
import { receiveDelivery, type Receiver } from '../../controller/webhooks/receive-delivery.js';
import { signedPush } from '../support/github.js';
import { NOON } from './cluster.js';
import type { Commit, Repository } from './software.js';
import { repositoryOf, WEBHOOK_SECRET } from './world.js';

export interface Pushed {
  readonly repository: Repository;
  readonly branch: string;
  readonly commit: Commit;
}

/** A push as GitHub delivers it, and as the controller takes it in; the same number is the same delivery again. */
export function deliverPush(
  receiver: Receiver,
  { repository, branch, commit }: Pushed,
  number: number,
  pushedAt: Date,
): Promise<Received> {
  const { headers, body } = signedPush({
    repository: repositoryOf(repository.name),
    branch,
    commit: commit.sha,
    secret: WEBHOOK_SECRET,
    deliveryId: `delivery-${number}`,
    pushedAt: new Date(NOON + pushedAt.getTime()),
  });
  return receiveDelivery(receiver, { provider: github, rawBody: body, headers });
}
