import { FraisierError } from '../../proto/error-codes.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import { repositoryKey } from '../fraises/repository-key.js';
import { askBranchHead } from './ask-repository.js';
import { branchesToCheck, type WatchedBranch } from './branches-to-check.js';
import type { ReadConfiguration } from './current-configuration.js';
import { recordMissedPush } from './record-missed-push.js';

export interface Watcher {
  readonly edges: Edges;
  readonly readConfiguration: ReadConfiguration;
  /** From 0 to below 1: so that controllers and branches do not all ask at once. */
  readonly random: () => number;
  /** Somebody may want to know; the next look comes by itself. */
  readonly onError: (error: unknown, branch: string) => void;
  readonly onMissed: (delivery: DeliveryRow) => void;
}

/** At a time: git hosts count requests. */
const MOST_AT_ONCE = 4;

/**
 * Looks at every branch whose turn it is, by the ledger's clock: of several controllers one does. A head that no delivery
 * told is a missed push when it was there at the look before, too: its delivery had all that time. Ends when all
 * have been looked at; what goes wrong with one is reported and stops no other.
 */
export async function lookForMissedPushes(watcher: Watcher, stopped: () => boolean): Promise<void> {
  const current = await watcher.readConfiguration(watcher.edges.ledger);
  if (current === null) return;
  const waiting = [...branchesToCheck(current.configuration)];
  const takeTurns = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && !stopped(); next = waiting.shift()) {
      const { branch } = next;
      await lookAt(watcher, current, next).catch((error: unknown) => watcher.onError(error, branch));
    }
  };
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, takeTurns));
}

async function lookAt(
  { edges, random, onMissed }: Watcher,
  current: AppliedConfiguration,
  watched: WatchedBranch,
): Promise<void> {
  const { ledger } = edges;
  const branch = { repository: repositoryKey(watched.repository), branch: watched.branch };
  const jitter = 0.9 + random() * 0.2;
  const seenBefore = await ledger.takeBranchCheck(branch, watched.everyMs * jitter);
  if (seenBefore === null) return;
  const asking = { edges, configuration: current.configuration };
  const head = await askBranchHead(asking, watched.environments[0], watched.branch);
  if (head instanceof FraisierError) throw head;
  await ledger.noteBranchHead(branch, head);
  if (head !== seenBefore || (await isKnown(ledger, watched, head))) return;
  const missed = await recordMissedPush(edges, current, watched, head);
  if (missed !== null) onMissed(missed);
}

/** Told by a delivery, or on its way to every environment by another trigger. */
async function isKnown(
  ledger: Ledger,
  { branch, environments }: WatchedBranch,
  head: string,
): Promise<boolean> {
  if (await ledger.wasDelivered(branch, head)) return true;
  for (const { fraise, name: environment } of environments) {
    const last = (await ledger.unfinishedDeployments({ fraise, environment })).at(-1);
    const made = last ?? (await ledger.lastSucceeded(fraise, environment));
    if (made?.commit !== head) return false;
  }
  return true;
}
