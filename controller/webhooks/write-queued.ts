import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import type { NewDeployment, Superseded } from '../deployments/ledger/deployment.js';
import type { AuditEntry, NewNotification, WakeTopic } from '../deployments/ledger/outbox.js';
import { notificationOf } from '../deployments/tell.js';
import type { InLine } from './join-line.js';
import { supersededBy } from './superseded-by.js';

/** A push that joined a queue; `sender` made it. */
export interface JoinedPush {
  readonly delivery: DeliveryRow;
  readonly sender: string;
  readonly joined: InLine;
}

/**
 * Stores what pushes changed, one after the other, in few statements however many they are. Needs the transaction that
 * holds their queues.
 */
export async function writeQueued(tx: Ledger, pushes: readonly JoinedPush[]): Promise<void> {
  if (pushes.length === 0) return;
  await tx.writeQueues(
    pushes.map(({ joined }) => joined.deployment),
    pushes.flatMap(({ joined }) => endedBy(joined).map(asSuperseded)),
  );
  for (const push of pushes) await tx.audit(requested(push));
  for (const notification of toldOf(pushes)) await tx.outbox(notification);
  for (const topic of wokenBy(pushes)) await tx.wake(topic);
}

interface Ended {
  readonly older: NewDeployment;
  readonly newer: NewDeployment;
}

/** The older ones, or the push itself. */
function endedBy({ deployment, newer, superseded }: InLine): readonly Ended[] {
  return newer === null
    ? superseded.map((older) => ({ older, newer: deployment }))
    : [{ older: deployment, newer }];
}

function asSuperseded({ older, newer }: Ended): Superseded {
  return { id: older.id, reason: supersededBy(newer) };
}

function requested({ delivery, sender, joined: { deployment, superseded } }: JoinedPush): AuditEntry {
  const { id, fraise, environment, commit } = deployment;
  const supersedes = superseded.map((one) => one.id).join(' ');
  return {
    actor: `webhook:${delivery.provider}`,
    action: 'deployment_requested',
    subject: id,
    facts: {
      ...{ fraise, environment, commit, webhook: delivery.id, sender },
      ...(superseded.length > 0 && { supersedes }),
    },
  };
}

/** Of what is about the same only the newest is worth sending. */
function toldOf(pushes: readonly JoinedPush[]): readonly NewNotification[] {
  const byAbout = new Map<string, NewNotification>();
  const tell = (notification: NewNotification): void => {
    byAbout.delete(notification.about);
    byAbout.set(notification.about, notification);
  };
  for (const { joined } of pushes) {
    for (const { older, newer } of endedBy(joined)) {
      // Of the same commit the newer one has the word.
      if (older.commit !== newer.commit) tell(notificationOf('deployment_ended', older, 'superseded'));
    }
    if (joined.newer === null) tell(notificationOf('deployment_queued', joined.deployment, 'queued'));
  }
  return [...byAbout.values()];
}

/** Whoever decides looks once for each environment: of what ended there is nothing to decide, but somebody may watch it. */
function wokenBy(pushes: readonly JoinedPush[]): readonly WakeTopic[] {
  const topics = new Map<string, WakeTopic>();
  for (const { joined } of pushes) {
    const { deployment, superseded } = joined;
    for (const { id } of superseded) {
      // Of one that was queued in this transaction nobody knows yet.
      if (!topics.delete(id)) topics.set(id, { about: 'events', deploymentId: id });
    }
    topics.set(deployment.id, { about: 'deployment', id: deployment.id });
  }
  return [...topics.values()];
}
