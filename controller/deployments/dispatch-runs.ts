import type { Assignment, CancelRun } from '../../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Edges } from './edges.js';
import type { DeploymentRow, Ledger, RunRow } from './ledger.js';
import { planOf } from './runs-of-deployment.js';
import { phaseOnWire } from './steps-of-run.js';

export interface ToSend {
  readonly assignments: readonly Assignment[];
  readonly cancels: readonly CancelRun[];
}

/**
 * What the agent on the other end of this stream must be told now: runs to start (pending ones become `dispatched` in the
 * same transaction) and runs to stop. Dispatched runs that have not started are told again, which the agent ignores
 * when it has them. Throws `agent_replaced` when the epoch is no longer the newest.
 */
export async function dispatchRuns(edges: Edges, agent: string, epoch: number): Promise<ToSend> {
  return edges.ledger.transaction(async (tx) => {
    const open = await tx.openRunsOnHost(agent);
    const assignments: Assignment[] = [];
    // One that was cancelled before it arrived is sent all the same: only the agent can say that it ended.
    for (const run of open) {
      if (run.status === 'running') continue;
      if (
        run.status === 'dispatched' ||
        (await tx.moveRun(run.id, 'pending', 'dispatched', { dispatched: true }))
      ) {
        assignments.push(await assignment(tx, run, epoch, edges.leaseMs));
      }
    }
    // Last, in the ledger's order of locks.
    if (!(await tx.holdLease(agent, epoch))) {
      throw new FraisierError('agent_replaced', `a newer connection of the agent on ${agent} has taken over`);
    }
    const cancels = open.flatMap((run) =>
      run.cancelReason === null ? [] : [{ runId: run.id, reason: run.cancelReason }],
    );
    return { assignments, cancels };
  });
}

async function assignment(tx: Ledger, run: RunRow, epoch: number, leaseMs: number): Promise<Assignment> {
  const deployment = (await tx.deployment(run.deploymentId)) as DeploymentRow;
  return {
    runId: run.id,
    deploymentId: run.deploymentId,
    phase: phaseOnWire(run.phase),
    attempt: run.attempt,
    target: planOf(deployment).target,
    steps: run.steps,
    epoch,
    commit: run.commit,
    validForMs: leaseMs,
  };
}
