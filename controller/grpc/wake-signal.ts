import type { Edges } from '../deployments/edges.js';
import type { WakeTopic } from '../deployments/ledger/outbox.js';
import { sleepUntilAborted } from './sleep.js';

/** Subscribed wake-ups: subscribe, read, wait, read again. */
export interface WakeSignal {
  /**
   * Resolves after a wanted wake-up that came since the last `wait`, after `atMostMs`, or when `signal` aborts; with
   * whether there was such a wake-up.
   */
  wait(atMostMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

/** Starts to listen at once, so that nothing is missed between the first read and the first wait. */
export function openWakeSignal(
  edges: Pick<Edges, 'waking' | 'after'>,
  isWanted: (topic: WakeTopic) => boolean,
): WakeSignal {
  let rang = false;
  let ring = (): void => undefined;
  const close = edges.waking.subscribe((topic) => {
    if (!isWanted(topic)) return;
    rang = true;
    ring();
  });
  const wait = async (atMostMs: number, signal: AbortSignal): Promise<boolean> => {
    if (!rang) await sleepUntilAborted(edges, atMostMs, signal, (wake) => (ring = wake));
    const did = rang;
    rang = false;
    return did;
  };
  return { wait, close };
}

/** Whether something was recorded of this deployment, be there something to decide or not. */
export function isAboutDeployment(topic: WakeTopic, id: string): boolean {
  if (topic.about === 'events') return topic.deploymentId === id;
  return topic.about === 'deployment' && topic.id === id;
}
