import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Ledger } from '../deployments/ledger.js';
import type { NewDelivery } from '../deployments/ledger/delivery.js';
import { baseUrlOf } from '../fraises/build-git-hosts.js';
import { allEnvironments, type Configuration } from '../fraises/fraises.js';
import { joined, type Routed } from './ask-environments.js';
import { deliveryIdOf } from './delivery-id.js';
import { headerOf, type Envelope } from './provider.js';
import type { PushEvent } from './push-event.js';
import { routeDelivery } from './route-delivery.js';
import {
  signerOf,
  verifyDelivery,
  type IncomingDelivery,
  type Verified,
  type Verifier,
} from './verify-delivery.js';

export interface Judged {
  /** The event that the delivery is shown by. */
  readonly event: PushEvent;
  readonly routed: Routed;
  readonly delivery: Omit<NewDelivery, 'id'> & { readonly body: Uint8Array };
  readonly configRevision: number;
}

/**
 * Verifies a delivery, understands it and routes it by the current configuration; writes nothing. Throws FraisierError
 * `bad_signature` or `unparseable`.
 */
export async function judgeDelivery(verifier: Verifier, incoming: IncomingDelivery): Promise<Judged> {
  return judgeVerified(verifier, incoming, await verifyDelivery(verifier, incoming));
}

/** As `judgeDelivery`, for what is known to have been signed with one of these secrets. */
export async function judgeVerified(
  verifier: Pick<Verifier, 'edges'>,
  incoming: IncomingDelivery,
  { current, signers }: Verified,
): Promise<Judged> {
  const { provider, rawBody, headers } = incoming;
  const { configuration } = current;
  const envelope = envelopeOf(incoming);
  const events = provider.parse(rawBody, headers, baseUrlOf(configuration, provider.name));
  const live = await liveOf(verifier.edges.ledger, configuration);
  const { secret, fraises: own } = signerOf(signers, events, configuration, live);
  const routed = routeDelivery(configuration, events, live);
  const event = 'targets' in routed ? routed.targets[0].event : events[0];
  const delivery = {
    provider: provider.name,
    deliveryId: deliveryIdOf(envelope, rawBody),
    event: envelope.event,
    ...subjectOf(event),
    ...verdictOf(event, routed),
    headers: keptHeaders(incoming),
    body: rawBody,
    matchedSecret: secret.path,
    originalId: null,
    fraises: fraisesOf(own, routed),
  };
  return { event, routed, delivery, configRevision: current.revision };
}

/** Those whose repository it is, and those that a branch is mapped to. */
function fraisesOf(own: readonly string[], routed: Routed): readonly string[] {
  const deployed = 'targets' in routed ? routed.targets.map((target) => target.fraise) : [];
  return [...new Set([...own, ...deployed])].sort();
}

/** Throws FraisierError `unparseable` when it does not say what it is about. */
function envelopeOf({ provider, headers }: IncomingDelivery): Envelope {
  const envelope = provider.envelope(headers);
  if (envelope.event !== '') return envelope;
  throw new FraisierError('unparseable', `the header of ${provider.name} that names the event is missing`, {
    hint: 'send it from the git host itself, or with all of its headers',
  });
}

/** What agents found on their hosts, asked for only when some fraise names no repository. */
export async function liveOf(ledger: Ledger, configuration: Configuration): Promise<readonly LiveFraise[]> {
  if (allEnvironments(configuration).every((one) => one.repository !== null)) return [];
  const agents = await ledger.agents();
  return agents.filter((agent) => agent.revokedAt === null).flatMap((agent) => agent.live);
}

/** The columns of a delivery of which nothing is known. */
export const NO_SUBJECT = { repository: '', branch: '', tag: '', commit: '', sender: '' };

/** The columns that say what it is about. */
export function subjectOf(
  event: PushEvent,
): Pick<NewDelivery, 'repository' | 'branch' | 'tag' | 'commit' | 'sender'> {
  if (event.kind === 'ping' || event.kind === 'unknown') return NO_SUBJECT;
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
  if ('ignored' in routed) return { verdict: 'ignored', reason: routed.ignored };
  return { verdict: 'deployed', reason: routed.remarks.length === 0 ? null : joined(routed.remarks) };
}

function keptHeaders({ provider, headers }: IncomingDelivery): Record<string, string> {
  const kept = provider.keptHeaders.map((name) => [name, headerOf(headers, name)] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== ''));
}
