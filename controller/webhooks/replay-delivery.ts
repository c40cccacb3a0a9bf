import { FraisierError } from '../../proto/error-codes.js';
import type { Actor, Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow, NewDelivery } from '../deployments/ledger/delivery.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import { joined, type RouteTarget } from './ask-environments.js';
import { WEBHOOK_PROVIDERS } from './choose-provider.js';
import type { ReadConfiguration } from './current-configuration.js';
import { NO_ANSWERS } from './doubts.js';
import { judgeVerified, type Judged } from './judge-delivery.js';
import { alreadyDeployed, leaveOutStarted } from './leave-out-started.js';
import { queueDeployments } from './queue-deployments.js';
import { placesOf, type IncomingDelivery, type Verified } from './verify-delivery.js';

export interface Replayer {
  readonly edges: Pick<Edges, 'ledger' | 'newId' | 'environment'>;
  readonly readConfiguration: ReadConfiguration;
}

/**
 * Judges a stored delivery again, by the configuration of now, as a new delivery that names the old one; returns its id.
 * What any row of the same delivery deployed already is left out, and the new row says so: of a commit that is wanted
 * once more, `fraisier deploy` makes a deployment. Throws FraisierError `unknown_webhook` or `not_replayable`.
 */
export async function replayDelivery(replayer: Replayer, id: string, actor: Actor): Promise<string> {
  const { ledger } = replayer.edges;
  const old = await ledger.holdDelivery(id);
  if (old === null) {
    throw new FraisierError('unknown_webhook', `there is no webhook ${id}`, { hint: 'fraisier webhooks' });
  }
  const incoming = storedDelivery(old);
  const verified = await signersNow(replayer, old);
  const judged = await judgeVerified(replayer, incoming, verified);
  return ledger.transaction((tx) => carryOut(tx, replayer, { old, judged, actor }));
}

interface Replay {
  readonly old: DeliveryRow;
  readonly judged: Judged;
  readonly actor: Actor;
}

/** The claim's row is held first: whoever delivers or replays the same at this moment waits. */
async function carryOut(tx: Ledger, { edges }: Replayer, { old, judged, actor }: Replay): Promise<string> {
  const claimed = await tx.holdClaimed(old.provider, old.deliveryId);
  await tx.holdDelivery(old.id);
  const started = await tx.startedBy(old.provider, old.deliveryId);
  const { targets, verdict } = withoutStarted(judged, started);
  const id = edges.newId('w');
  const row: NewDelivery = {
    ...judged.delivery,
    ...verdict,
    id,
    deliveryId: old.deliveryId,
    originalId: old.id,
    replayedBy: actor.name,
  };
  const stored = await store(tx, row, targets.length > 0 ? claimed : null);
  const facts = { original: old.id, verdict: row.verdict };
  await tx.audit({ actor: actor.name, action: 'webhook_replayed', subject: id, facts });
  // Among other pushes it has the place that it had: replaying an old one does not make it the newest.
  const receivedAt = (await tx.receivedAt(stored.id)) as Date;
  const { configRevision } = judged;
  const push = { targets, delivery: stored, receivedAt, configRevision, answers: NO_ANSWERS };
  await queueDeployments(tx, edges.newId, [push]);
  return id;
}

/** One that deploys takes the claim of an ignored one over: a redelivery is then a repeat of what was deployed. */
async function store(tx: Ledger, row: NewDelivery, claimed: DeliveryRow | null): Promise<DeliveryRow> {
  if (claimed?.verdict !== 'ignored') return tx.insertDelivery(row);
  await tx.releaseClaim(claimed.id);
  return (await tx.claimDelivery(row)) as DeliveryRow;
}

/** What is still to be deployed, and the verdict: `duplicate` when there was something and it all was already. */
function withoutStarted(
  { routed, delivery }: Judged,
  started: readonly DeploymentRow[],
): { targets: readonly RouteTarget[]; verdict: Pick<NewDelivery, 'verdict' | 'reason'> } {
  const { verdict, reason: why } = delivery;
  const wanted = 'targets' in routed ? routed.targets : [];
  const { targets, leftOut } = leaveOutStarted(wanted, started);
  const reasons = [...leftOut.map(alreadyDeployed), ...(why === null ? [] : [why])];
  return {
    targets,
    verdict: {
      verdict: leftOut.length > 0 && targets.length === 0 ? 'duplicate' : verdict,
      reason: reasons.length === 0 ? null : joined(reasons),
    },
  };
}

/** As it came, as far as it was kept. Throws FraisierError `not_replayable`. */
function storedDelivery(row: DeliveryRow): IncomingDelivery {
  const provider = WEBHOOK_PROVIDERS.find((one) => one.name === row.provider);
  if (row.matchedSecret === null || provider === undefined) {
    throw notReplayable(row, 'never_verified', 'its signature was never verified');
  }
  if (row.body === null) throw notReplayable(row, 'body_gone', 'its body is no longer kept');
  if (row.verdict === 'pending') throw notReplayable(row, 'pending', 'it is still being judged');
  return { provider, rawBody: row.body, headers: row.headers };
}

function notReplayable({ id }: DeliveryRow, why: string, message: string): FraisierError {
  return new FraisierError('not_replayable', `${id} cannot be replayed: ${message}`, {
    hint:
      why === 'pending'
        ? `fraisier webhooks show ${id}`
        : 'have the git host deliver it again, or: fraisier deploy FRAISE ENVIRONMENT',
    facts: { why },
  });
}

/**
 * Those that the place of the secret which signed it then speaks for now: its value may have been changed since. Throws
 * FraisierError `not_replayable` when the secret was that of a fraise and is configured no more.
 */
async function signersNow({ readConfiguration, edges }: Replayer, old: DeliveryRow): Promise<Verified> {
  const current = await readConfiguration(edges.ledger);
  if (current === null) {
    throw new FraisierError('no_configuration', 'no configuration was ever applied', {
      hint: 'fraisier apply fraises.yaml',
    });
  }
  const path = old.matchedSecret as string;
  const signers = placesOf(current.configuration, old.provider).filter(({ secret }) => secret.path === path);
  if (signers.length > 0) return { current, signers };
  // A secret of the git host that is gone was rotated; it spoke for every repository there.
  if (path.startsWith(`git.${old.provider}.`))
    return { current, signers: [{ secret: { path, template: '' }, of: null }] };
  throw notReplayable(old, 'secret_gone', `${path}, which signed it, is configured no more`);
}
