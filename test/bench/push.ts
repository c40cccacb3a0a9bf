import { randomUUID } from 'node:crypto';
import type { Deployment } from '../../proto/gen/fraisier/v1/control.js';
import type { Cluster } from '../support/cluster.js';
import { signedPush } from '../support/github.js';
import { SECRET, type BenchFleet, type BenchService } from './bench-fleet.js';

/** More than any of a few hosts takes. */
export const DEPLOYMENT_MS = 60_000;

/** A deployment by a push, as it was recorded. */
export interface Deployed {
  /** From the row's first moment to its last. */
  readonly tookMs: number;
  /** From the answer to the push until an agent began the first step, by the one clock that all of them share here. */
  readonly firstStepMs: number;
}

/** Pushes a commit and waits until its deployment has succeeded; throws when it ends otherwise or takes too long. */
export async function deployByPush(
  { cluster }: Pick<BenchFleet, 'cluster'>,
  service: Pick<BenchService, 'repository'>,
  commit: string,
  withinMs = DEPLOYMENT_MS,
): Promise<Deployed> {
  const signal = AbortSignal.timeout(withinMs);
  const id = await push(cluster.http, service, commit, signal);
  return followToEnd(cluster, id, signal);
}

/** Watches a deployment that was accepted just now until it has succeeded; throws when it ends otherwise. */
export async function followToEnd(cluster: Cluster, id: string, signal: AbortSignal): Promise<Deployed> {
  const acceptedAt = Date.now();
  let firstStepAt = Number.NaN;
  let last: Deployment | undefined;
  for await (const { event } of cluster.control.stream('watch', { deploymentId: id, after: 0 }, signal)) {
    if (event?.$case === 'deployment') last = event.value;
    const happened = event?.$case === 'host' ? event.value.event : undefined;
    if (Number.isNaN(firstStepAt) && happened?.event?.$case === 'stepStarted')
      firstStepAt = happened.at?.getTime() ?? Number.NaN;
  }
  if (last?.status !== 'succeeded')
    throw new Error(`${id} is ${last?.status ?? 'unknown'}: ${last?.reason?.message ?? 'no reason'}`);
  return {
    tookMs: Number(last.finishedAt) - Number(last.createdAt),
    firstStepMs: Math.max(0, firstStepAt - acceptedAt),
  };
}

async function push(
  http: string,
  { repository }: Pick<BenchService, 'repository'>,
  commit: string,
  signal: AbortSignal,
): Promise<string> {
  const delivery = { repository, branch: 'main', commit, secret: SECRET, deliveryId: randomUUID() };
  const { headers, body } = signedPush(delivery);
  const answer = await fetch(`${http}/webhook`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
    signal,
  });
  const { deployments: [id] = [] } = (await answer.json()) as { deployments?: readonly string[] };
  if (id === undefined) throw new Error(`a push was answered ${answer.status} and queued nothing`);
  return id;
}
