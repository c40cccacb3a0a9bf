import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Edges } from '../deployments/edges.js';
import type { DeliveryRow, Ledger, NewDelivery } from '../deployments/ledger.js';
import { allEnvironments, type Configuration } from '../fraises/fraises.js';
import { claimDelivery } from './claim-delivery.js';
import { headerOf, type Envelope } from './provider.js';
import type { PushEvent } from './push-event.js';
import { queueDeployments } from './queue-deployments.js';
import { route, type Routed } from './route.js';
import { verifyDelivery, type IncomingDelivery, type Verifier } from './verify-delivery.js';

export interface Receiver extends Verifier {
  readonly edges: Edges;
}

/** What became of a verified delivery; `webhookId` is its row in the ledger. */
export type Received =
  | { readonly status: 'accepted'; readonly webhookId: string; readonly deployments: readonly string[] }
  | { readonly status: 'pong'; readonly webhookId: string }
  | { readonly status: 'ignored'; readonly webhookId: string; readonly reason: Reason }
  /** `originalId` is the delivery it repeats, `deployments` what that one started. */
  | {
      readonly status: 'duplicate';
      readonly webhookId: string;
      readonly originalId: string;
      readonly deployments: readonly string[];
    };

/**
 * Takes one delivery in: verified, understood, routed by the current configuration and, in one transaction, stored
 * with the deployments it starts. Once it returns, all of that is in the ledger; when it throws, nothing is.
 * Throws FraisierError `bad_signature` or `unparseable`; only what was verified can claim a delivery id.
 */
export async function receiveDelivery(receiver: Receiver, incoming: IncomingDelivery): Promise<Received> {
  const { ledger, newId } = receiver.edges;
  const { current, secret } = await verifyDelivery(receiver, incoming);
  const envelope = envelopeOf(incoming);
  const event = incoming.provider.parse(incoming.rawBody, incoming.headers);
  const routed = route(current.configuration, event, await liveOf(ledger, current.configuration));
  const delivery: NewDelivery = {
    id: newId('w'),
    provider: incoming.provider.name,
    ...envelope,
    ...subjectOf(event),
    ...verdictOf(event, routed),
    headers: keptHeaders(incoming),
    body: incoming.rawBody,
    matchedSecret: secret.path,
    originalId: null,
  };
  return ledger.transaction(async (tx) => {
    const { stored, original } = await claimDelivery(tx, delivery);
    if (original !== null) return repetition(stored, original);
    if (event.kind === 'ping') return { status: 'pong', webhookId: stored.id };
    if ('ignored' in routed) return { status: 'ignored', webhookId: stored.id, reason: routed.ignored };
    const request = { ...routed, delivery: stored, configRevision: current.revision };
    return {
      status: 'accepted',
      webhookId: stored.id,
      deployments: await queueDeployments(tx, newId, request),
    };
  });
}

/** Throws FraisierError `unparseable` without a delivery id: a repeat of it could not be told from a new one. */
function envelopeOf({ provider, headers }: IncomingDelivery): Envelope {
  const envelope = provider.envelope(headers);
  if (envelope.deliveryId !== '' && envelope.event !== '') return envelope;
  throw new FraisierError(
    'unparseable',
    `the headers of ${provider.name} that name the delivery and its event are missing`,
    {
      hint: 'send it from the git host itself, or with all of its headers',
    },
  );
}

/** What agents found on their hosts, asked for only when some fraise names no repository. */
async function liveOf(ledger: Ledger, configuration: Configuration): Promise<readonly LiveFraise[]> {
  if (allEnvironments(configuration).every((one) => one.repository !== null)) return [];
  const agents = await ledger.agents();
  return agents.filter((agent) => agent.revokedAt === null).flatMap((agent) => agent.live);
}

/** The columns that say what it is about. */
function subjectOf(
  event: PushEvent,
): Pick<NewDelivery, 'repository' | 'branch' | 'tag' | 'commit' | 'sender'> {
  if (event.kind === 'ping' || event.kind === 'unknown') {
    return { repository: '', branch: '', tag: '', commit: '', sender: '' };
  }
  return {
    repository: event.repositoryUrls[0],
    branch: 'branch' in event ? event.branch : '',
    tag: 'tag' in event ? event.tag : '',
    commit: 'commit' in event ? event.commit : '',
    sender: event.sender,
  };
}

function verdictOf(event: PushEvent, routed: Routed): Pick<NewDelivery, 'verdict' | 'reason'> {
  if (event.kind === 'ping') return { verdict: 'pong', reason: null };
  return 'ignored' in routed
    ? { verdict: 'ignored', reason: routed.ignored }
    : { verdict: 'deployed', reason: null };
}

function keptHeaders({ provider, headers }: IncomingDelivery): Record<string, string> {
  const kept = provider.keptHeaders.map((name) => [name, headerOf(headers, name)] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== ''));
}

function repetition(stored: DeliveryRow, original: DeliveryRow): Received {
  return {
    status: 'duplicate',
    webhookId: stored.id,
    originalId: original.id,
    deployments: original.deployments,
  };
}
