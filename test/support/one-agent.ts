import type { Edges } from '../../controller/deployments/edges.js';
import { dispatchRuns, type ToSend } from '../../controller/deployments/dispatch-runs.js';
import {
  recordProgress,
  type Acknowledgements,
  type Lease,
  type ProgressMessage,
} from '../../controller/deployments/record-progress.js';

/** The report of one agent, on its own. */
export async function recordOne(
  edges: Edges,
  lease: Lease,
  messages: readonly ProgressMessage[],
): Promise<Acknowledgements> {
  const [acknowledged] = await recordProgress(edges, [{ ...lease, messages }]);
  return acknowledged as Acknowledgements;
}

/** What one agent is told, on its own; throws when its stream is not the newest. */
export async function dispatchOne(edges: Edges, agent: string, epoch: number): Promise<ToSend> {
  const [sent] = await dispatchRuns(edges, [{ agent, epoch }]);
  if (sent === null || sent === undefined) throw new Error(`${epoch} is not the epoch of ${agent}`);
  return sent;
}
