import type { WakeTopic } from '../deployments/ledger/outbox.js';
import type { Db } from './row.js';

export const CHANNEL = 'fraisier';

/** Delivered to every listener when the transaction commits; the same topic several times in one arrives once. */
export async function wake(db: Db, topic: WakeTopic): Promise<void> {
  await db.raw('select pg_notify(?, ?)', [CHANNEL, JSON.stringify(topic)]);
}

/** Null for what is not ours: anybody with a connection may send on a channel. */
export function topicOf(payload: string | undefined): WakeTopic | null {
  try {
    const topic = JSON.parse(payload ?? '') as Partial<Record<string, unknown>> | null;
    return isTopic(topic) ? topic : null;
  } catch {
    return null;
  }
}

const KEYS: Readonly<Record<WakeTopic['about'], string>> = {
  deployment: 'id',
  delivery: 'id',
  events: 'deploymentId',
  host: 'name',
  logs: 'deploymentId',
  question: 'id',
};

function isTopic(
  topic: Partial<Record<string, unknown>> | null,
): topic is WakeTopic & Record<string, unknown> {
  const about = topic?.['about'];
  return (
    typeof about === 'string' &&
    Object.hasOwn(KEYS, about) &&
    typeof topic?.[KEYS[about as 'host']] === 'string'
  );
}
