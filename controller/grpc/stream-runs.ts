import type { Ledger } from '../deployments/ledger.js';

/** More than one agent has in hand. */
const MOST = 64;

/** Of which deployments the runs are that a stream is about: asked once for each that was not dispatched on it. */
export interface StreamRuns {
  told(runId: string, deploymentId: string): void;
  /** The run itself when there is none of this id: whoever records it finds that out. */
  deploymentOf(runId: string): Promise<string>;
}

/** For the length of a stream. */
export function streamRuns(ledger: Pick<Ledger, 'run'>): StreamRuns {
  const known = new Map<string, string>();
  const told = (runId: string, deploymentId: string): void => {
    known.delete(runId);
    known.set(runId, deploymentId);
    const [oldest] = known.keys();
    if (known.size > MOST && oldest !== undefined) known.delete(oldest);
  };
  const deploymentOf = async (runId: string): Promise<string> => {
    const before = known.get(runId);
    if (before !== undefined) return before;
    const deploymentId = (await ledger.run(runId))?.deploymentId ?? runId;
    told(runId, deploymentId);
    return deploymentId;
  };
  return { told, deploymentOf };
}
