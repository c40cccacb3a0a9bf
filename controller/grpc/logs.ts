import { FraisierError } from '../../proto/error-codes.js';
import type { LogLine, LogsRequest } from '../../proto/gen/fraisier/v1/control.js';
import type { Edges } from '../deployments/edges.js';
import { deploymentHasEnded } from '../deployments/lifecycle.js';
import type { Records, StoredLog } from '../deployments/records.js';
import { isAboutDeployment, openWakeSignal } from './wake-signal.js';

const POLL_MS = 2_000;
/** What is held for a watcher who does not read: chunks are small while somebody follows, and large when they are many. */
const PAGE = { limit: 100, mostBytes: 512 * 1024 };

export interface LogEdges {
  readonly edges: Edges;
  readonly records: Pick<Records, 'logs'>;
}

/**
 * Output of a deployment, each byte once and every run's in order; with `follow` until the deployment has ended.
 * Throws FraisierError `unknown_deployment`.
 */
export async function* streamLogs(
  deps: LogEdges,
  request: LogsRequest,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { deploymentId, follow } = request;
  const wakeUps = openWakeSignal(
    deps.edges,
    (topic) =>
      (topic.about === 'logs' && topic.deploymentId === deploymentId) ||
      isAboutDeployment(topic, deploymentId),
  );
  const place = { after: 0 };
  try {
    while (!signal.aborted) {
      const isOver = await hasEnded(deps.edges, deploymentId);
      yield* newChunks(deps, request, place, signal);
      if (isOver || !follow) return;
      await wakeUps.wait(POLL_MS, signal);
    }
  } finally {
    wakeUps.close();
  }
}

/** Numbers of a deployment's chunks follow commit order, so what comes later is numbered higher. */
async function* newChunks(
  { records }: LogEdges,
  { deploymentId, host, step }: LogsRequest,
  place: { after: number },
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const where = { deploymentId, host: host || null, step: step || null, ...PAGE };
  while (!signal.aborted) {
    const page = await records.logs({ ...where, after: place.after });
    for (const chunk of page) {
      yield packChunk(chunk);
      place.after = chunk.number;
    }
    if (page.length < PAGE.limit && bytesOf(page) < PAGE.mostBytes) return;
  }
}

function bytesOf(page: readonly StoredLog[]): number {
  return page.reduce((bytes, { data }) => bytes + data.length, 0);
}

async function hasEnded({ ledger }: Edges, id: string): Promise<boolean> {
  const row = await ledger.deployment(id);
  if (row === null) throw new FraisierError('unknown_deployment', `there is no deployment ${id}`);
  return deploymentHasEnded(row.status);
}

function packChunk({ host, phase, step, attempt, offset, data, truncated, storedAt }: StoredLog): LogLine {
  return { host, phase, step, attempt, offset, data: Buffer.from(data), truncated, at: storedAt };
}
