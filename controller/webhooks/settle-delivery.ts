import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import { baseUrlOf } from '../fraises/build-git-hosts.js';
import type { Configuration } from '../fraises/fraises.js';
import { joined, type Routed, type RouteTarget } from './ask-environments.js';
import { askChangedPaths, askOrder } from './ask-repository.js';
import { chooseProvider } from './choose-provider.js';
import type { ReadConfiguration } from './current-configuration.js';
import { NO_ANSWERS, orderKey, pathsKey, type Answers, type Doubt } from './doubts.js';
import { liveOf } from './judge-delivery.js';
import { alreadyDeployed, leaveOutStarted } from './leave-out-started.js';
import { missedPushOf } from './missed-push.js';
import { isPush } from './order-pushes.js';
import type { PushEvents } from './push-event.js';
import { queueDeployments, type Queued } from './queue-deployments.js';
import { deploysMissed } from './record-missed-push.js';
import { routeDelivery } from './route-delivery.js';

export interface Settler {
  readonly edges: Edges;
  readonly readConfiguration: ReadConfiguration;
}

/** From receiving a delivery to deploying it without an answer. */
const PATIENCE_MS = 60_000;
/** Between two tries. */
const AGAIN_MS = 5_000;
/** More doubts than any push raises one after the other: each time something else was deployed meanwhile. */
const MOST_ROUNDS = 5;

/**
 * Asks agents what a pending delivery leaves open and judges it again by the configuration of now: what is certain is
 * queued, in one transaction with the verdict, once; whoever was faster has done it. While nobody can answer it stays
 * pending and is given back; a minute after it was received it is deployed all the same, and its reason says so.
 */
export async function settleDelivery(settler: Settler, delivery: DeliveryRow): Promise<void> {
  const { edges } = settler;
  let answers = NO_ANSWERS;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    // Nothing is routed, and so nothing is pending, before there is one; none is ever removed.
    const current = (await settler.readConfiguration(edges.ledger)) as AppliedConfiguration;
    const doubts = await edges.ledger.transaction((tx) => settle(edges, tx, delivery, current, answers));
    if (doubts.length === 0) return;
    const late = (await edges.ledger.now()).getTime() - delivery.receivedAt.getTime() >= PATIENCE_MS;
    const asked = await askAll(edges, current.configuration, doubts);
    if (asked.again && !late) break;
    answers = merged(answers, asked.answers);
  }
  await edges.ledger.postponePending(delivery.id, AGAIN_MS);
}

/** What is still in doubt; nothing once the delivery has its verdict. */
async function settle(
  edges: Edges,
  tx: Ledger,
  { id, provider, deliveryId }: DeliveryRow,
  current: AppliedConfiguration,
  answers: Answers,
): Promise<readonly Doubt[]> {
  // As for a replay: whoever judges another row of the same delivery waits.
  await tx.holdClaimed(provider, deliveryId);
  const delivery = await tx.holdDelivery(id);
  if (delivery?.verdict !== 'pending') return [];
  const routed = await routeAgain(tx, current.configuration, delivery);
  const isWanted = (target: RouteTarget) => delivery.event !== 'missed_push' || deploysMissed(target);
  const wanted = 'targets' in routed ? routed.targets.filter(isWanted) : [];
  const { targets, leftOut } = leaveOutStarted(wanted, await tx.startedBy(provider, deliveryId));
  const receivedAt = (await tx.receivedAt(id)) as Date;
  const push = { targets, delivery, receivedAt, configRevision: current.revision, answers };
  const [queued] = await queueDeployments(tx, edges.newId, [push]);
  const { deployments, remarks, doubts } = queued as Queued;
  if (doubts.length > 0) return doubts;
  const byOthers = leftOut.filter((one) => one.webhookId !== id);
  const routing = 'targets' in routed ? routed.remarks : [routed.ignored];
  const why = reasonOf([...byOthers.map(alreadyDeployed), ...routing, ...remarks]);
  const hasDeployed = delivery.deployments.length + deployments.length > 0;
  const isRepeat = byOthers.length > 0 && targets.length === 0;
  await tx.moveDelivery(id, 'pending', hasDeployed ? 'deployed' : isRepeat ? 'duplicate' : 'ignored', why);
  return [];
}

function reasonOf(said: readonly Reason[]): Reason | null {
  return said.length === 0 ? null : joined(said);
}

/** What cannot be read again (its body was removed meanwhile) deploys nothing more. */
async function routeAgain(tx: Ledger, configuration: Configuration, delivery: DeliveryRow): Promise<Routed> {
  try {
    const events = eventsOf(configuration, delivery);
    return routeDelivery(configuration, events, await liveOf(tx, configuration));
  } catch (error) {
    if (!(error instanceof FraisierError)) throw error;
    return { ignored: error.reason };
  }
}

function eventsOf(configuration: Configuration, { event, provider, headers, body }: DeliveryRow): PushEvents {
  const bytes = body ?? new Uint8Array();
  if (event === 'missed_push') return [missedPushOf(bytes)];
  const host = chooseProvider(provider, headers);
  return host.parse(bytes, headers, baseUrlOf(configuration, host.name));
}

async function askAll(
  edges: Edges,
  configuration: Configuration,
  doubts: readonly Doubt[],
): Promise<{ readonly answers: Answers; readonly again: boolean }> {
  const asking = { edges, configuration };
  const paths = new Map<string, Awaited<ReturnType<typeof askChangedPaths>>>();
  const order = new Map<string, Awaited<ReturnType<typeof askOrder>>>();
  await Promise.all(
    doubts.map(async (doubt) => {
      const { target } = doubt;
      if (doubt.about === 'order')
        order.set(orderKey(doubt.question), await askOrder(asking, target, doubt.question));
      else
        paths.set(
          pathsKey(target),
          await askChangedPaths(asking, target, await lastCommit(edges.ledger, target)),
        );
    }),
  );
  const again = [...paths.values(), ...order.values()].some((one) => one.again);
  return { again, answers: { paths: toldIn(paths), order: toldIn(order) } };
}

function toldIn<T>(found: ReadonlyMap<string, { readonly told: T }>): ReadonlyMap<string, T> {
  return new Map([...found].map(([key, { told }]) => [key, told]));
}

function merged(one: Answers, other: Answers): Answers {
  return {
    paths: new Map([...one.paths, ...other.paths]),
    order: new Map([...one.order, ...other.order]),
  };
}

/** What a target will have when everything before this push is done. */
async function lastCommit(ledger: Ledger, { fraise, environment }: RouteTarget): Promise<string | null> {
  const unfinished = await ledger.unfinishedDeployments({ fraise, environment });
  const last = unfinished.findLast(isPush) ?? (await ledger.lastSucceeded(fraise, environment));
  return last?.commit ?? null;
}
