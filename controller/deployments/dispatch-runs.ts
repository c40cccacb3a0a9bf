import type { Assignment, CancelRun } from '../../proto/gen/fraisier/v1/agent.js';
import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from './edges.js';
import type { RunRow } from './ledger/run.js';
import type { Lease } from './record-progress.js';
import { planOf } from './runs-of-deployment.js';
import { phaseOnWire } from './steps-of-run.js';

export interface ToSend {
  readonly assignments: readonly Assignment[];
  readonly cancels: readonly CancelRun[];
}

/**
 * What the agents on the other end of these streams must be told now: runs to start (pending ones become `dispatched` at
 * the same moment) and runs to stop. Dispatched runs that have not started are told again, which the agent ignores
 * when it has them. Null for a stream whose epoch is no longer the newest.
 */
export async function dispatchRuns(
  { ledger, leaseMs }: Pick<Edges, 'ledger' | 'leaseMs'>,
  streams: readonly Lease[],
): Promise<readonly (ToSend | null)[]> {
  const { runs, leased } = await ledger.dispatchPending(streams);
  const plans = await plansOf(ledger, runs);
  return streams.map(({ agent, epoch }) => {
    if (leased.get(agent) !== epoch) return null;
    const open = runs.filter(({ host }) => host === agent);
    // One that was cancelled before it arrived is sent all the same: only the agent can say that it ended.
    const begin = open.filter(({ status }) => status === 'dispatched');
    const assignments = begin.map((run) => assignment(run, plans.get(run.deploymentId), epoch, leaseMs));
    const cancels = open.flatMap(({ id: runId, cancelReason: why }) =>
      why === null ? [] : [{ runId, reason: why }],
    );
    return { assignments, cancels };
  });
}

async function plansOf(
  ledger: Edges['ledger'],
  runs: readonly RunRow[],
): Promise<ReadonlyMap<string, DeploymentPlan>> {
  const begun = runs.filter(({ status }) => status === 'dispatched');
  const ids = new Set(begun.map(({ deploymentId }) => deploymentId));
  const deployments = ids.size === 0 ? [] : await ledger.deployments([...ids]);
  return new Map(deployments.map((deployment) => [deployment.id, planOf(deployment)]));
}

function assignment(
  run: RunRow,
  plan: DeploymentPlan | undefined,
  epoch: number,
  leaseMs: number,
): Assignment {
  return {
    runId: run.id,
    deploymentId: run.deploymentId,
    phase: phaseOnWire(run.phase),
    attempt: run.attempt,
    target: plan?.target,
    steps: run.steps,
    epoch,
    commit: run.commit,
    validForMs: leaseMs,
  };
}
