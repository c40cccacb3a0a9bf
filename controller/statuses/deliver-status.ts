import { FraisierError } from '../../proto/error-codes.js';
import type { NotificationRow } from '../deployments/ledger/outbox.js';
import { resolveSecret } from '../fraises/secret.js';
import type { ReadConfiguration } from '../webhooks/current-configuration.js';
import { waitAfter } from './back-off.js';
import type { Verdict } from './judge-answer.js';
import { sendStatus, type SendEdges } from './send-status.js';
import type { SenderEdges } from './sender-edges.js';
import { letterOf, type Letter } from './sort-outbox.js';
import { STATUS_HOSTS } from './status-hosts.js';
import { statusOf } from './status-of.js';

export interface DeliveryEdges extends SenderEdges, SendEdges {
  readonly configuration: ReadConfiguration;
}

/** Sends one claimed notification and stores what came of it. */
export async function deliverStatus(edges: DeliveryEdges, claimed: NotificationRow): Promise<void> {
  const configuration = await edges.configuration(edges.ledger);
  const letter = await letterOf(edges.ledger, configuration, claimed);
  if ('unwanted' in letter) {
    await edges.ledger.endNotification(claimed, { outcome: 'unwanted', error: letter.unwanted });
    return;
  }
  const verdict = await send(edges, letter);
  switch (verdict.is) {
    case 'taken':
      await edges.ledger.endNotification(claimed, { outcome: 'sent', error: null });
      return;
    case 'later':
      return putOff(edges, claimed, letter, verdict);
    case 'refused':
      return giveUp(edges, claimed, letter, verdict.why);
  }
}

async function send(edges: DeliveryEdges, { deployment, status, address }: Letter): Promise<Verdict> {
  const token = tokenOf(edges, address.token);
  if (typeof token !== 'string') return token;
  const told = statusOf(deployment, status, edges.publicUrl);
  return sendStatus(edges, STATUS_HOSTS[address.provider].requestOf(address.place, told, token), token);
}

/** The token as it is now, or why there is none; of its value nothing is said. */
function tokenOf({ environment }: DeliveryEdges, secret: Letter['address']['token']): string | Verdict {
  try {
    const token = resolveSecret(secret, environment).trim();
    if (/^[\x21-\x7e]+$/.test(token)) return token;
    return { is: 'refused', why: `${secret.path} is empty or has characters that no header can hold` };
  } catch (error) {
    if (!(error instanceof FraisierError)) throw error;
    return { is: 'refused', why: error.message };
  }
}

async function putOff(
  edges: DeliveryEdges,
  claimed: NotificationRow,
  letter: Letter,
  { why, hostAfterMs }: Verdict & { readonly is: 'later' },
): Promise<void> {
  const waitMs = waitAfter(claimed.attempts, edges.random());
  if (waitMs === null) return giveUp(edges, claimed, letter, `${why} (after ${claimed.attempts} attempts)`);
  // Held before this one is let go: nothing else for the host slips through in between.
  if (hostAfterMs !== null) await edges.ledger.holdLane(letter.address.lane, hostAfterMs);
  await edges.ledger.retryNotification(claimed, { afterMs: hostAfterMs ?? waitMs, error: why });
}

/** For good: whoever wants to know finds the reason with the notification, in the audit and once in the log. */
async function giveUp(
  { ledger, logger }: DeliveryEdges,
  claimed: NotificationRow,
  { deployment, address }: Letter,
  why: string,
): Promise<void> {
  const facts = { host: address.lane, reason: why };
  const isOurs = await ledger.transaction(async (tx) => {
    const ended = await tx.endNotification(claimed, { outcome: 'given_up', error: why });
    const entry = { actor: 'controller', action: 'status_given_up', subject: deployment.id, facts };
    if (ended) await tx.audit(entry);
    return ended;
  });
  if (isOurs) logger.warn({ deployment: deployment.id, ...facts }, 'commit status given up');
}
