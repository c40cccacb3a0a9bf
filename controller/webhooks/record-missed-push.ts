import { reason } from '../../proto/error-codes.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';
import { repositoryKey } from '../fraises/repository-key.js';
import { joined, type Routed, type RouteTarget } from './ask-environments.js';
import type { WatchedBranch } from './branches-to-check.js';
import { NO_ANSWERS } from './doubts.js';
import { subjectOf } from './judge-delivery.js';
import { bodyOf, missedDeliveryId, missedPushOf } from './missed-push.js';
import { queueDeployments } from './queue-deployments.js';
import { routeDelivery } from './route-delivery.js';

/**
 * Records that a branch was pushed to and no delivery told it, once for each commit of the branch, and queues it where
 * `missed_push: deploy` says so, in one transaction. Null when it is known, or was told meanwhile.
 */
export async function recordMissedPush(
  { ledger, newId }: Edges,
  { revision, configuration }: AppliedConfiguration,
  watched: WatchedBranch,
  commit: string,
): Promise<DeliveryRow | null> {
  const { repository, branch } = watched;
  const body = bodyOf({ repository, branch, commit });
  const event = missedPushOf(body);
  const routed = routeDelivery(configuration, [event], []);
  const targets = 'targets' in routed ? routed.targets.filter(deploysMissed) : [];
  const delivery: NewDelivery = {
    id: newId('w'),
    provider: watched.environments[0].provider,
    deliveryId: missedDeliveryId({ repository: repositoryKey(repository), branch }, commit),
    event: 'missed_push',
    ...subjectOf(event),
    ...verdictOf(watched, commit, routed, targets),
    headers: {},
    body,
    matchedSecret: null,
    originalId: null,
    fraises: [...new Set(watched.environments.map((one) => one.fraise))],
  };
  return ledger.transaction(async (tx) => {
    if (await tx.wasDelivered(branch, commit)) return null;
    const stored = await tx.claimDelivery(delivery);
    if (stored === null) return null;
    await tx.audit({
      actor: 'controller',
      action: 'missed_push_recorded',
      subject: stored.id,
      facts: { repository, branch, commit },
    });
    const { receivedAt } = stored;
    const push = { targets, delivery: stored, receivedAt, configRevision: revision, answers: NO_ANSWERS };
    await queueDeployments(tx, newId, [push]);
    return stored;
  });
}

/** Whether a target is looked after, and deployed when its push was missed. */
export function deploysMissed({ environmentConfig: one }: RouteTarget): boolean {
  return one.missedPushCheckMs !== null && one.missedPush === 'deploy';
}

function verdictOf(
  { branch, environments }: WatchedBranch,
  commit: string,
  routed: Routed,
  targets: readonly RouteTarget[],
): Pick<NewDelivery, 'verdict' | 'reason'> {
  const [{ fraise, name }] = environments;
  const message = `branch ${branch} was pushed to (${commit.slice(0, 12)}) and no webhook told it`;
  const missed = reason('missed_push', message, {
    hint: targets.length > 0 ? '' : `fraisier deploy ${fraise} ${name} --commit ${commit}`,
    facts: { branch, commit },
  });
  if (targets.length > 0) return { verdict: 'deployed', reason: missed };
  const why = 'ignored' in routed ? [missed, routed.ignored] : [missed];
  return { verdict: 'ignored', reason: joined(why) };
}
