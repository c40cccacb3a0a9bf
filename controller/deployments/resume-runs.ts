import type { Hello, ResumeRun, UnfinishedRun } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { reason } from './reason.js';
import type { Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { RunRow } from './ledger/run.js';
import { runHasEnded } from './lifecycle.js';
import type { Lease } from './record-progress.js';

/**
 * Compares what a connecting agent still has with the record: where each of its runs goes on, and which are over.
 * A run the record calls `running` that the agent does not know ends `interrupted`: its outcome cannot be learned. One
 * that was to be stopped before the agent had taken it on ends `cancelled`: nobody ever will.
 * Throws `agent_replaced` when the epoch is no longer the newest: what an older stream knew says nothing.
 */
export async function resumeRuns(
  { ledger }: Edges,
  { agent, epoch }: Lease,
  hello: Hello,
): Promise<readonly ResumeRun[]> {
  return ledger.transaction(async (tx) => {
    // Waits for decisions that were made while the agent was away; every later one sees the lease it has now.
    for (const id of await deploymentsToResume({ ledger: tx }, { agent }, hello)) await tx.holdDeployment(id);
    const known = new Set(hello.runs.map((run) => run.runId));
    for (const run of await tx.openRunsOnHost(agent)) if (!known.has(run.id)) await endUnknown(tx, run);
    const resumed = await Promise.all(hello.runs.map((run) => resume(tx, agent, run)));
    if (await tx.holdLease(agent, epoch)) return resumed;
    throw new FraisierError('agent_replaced', `a newer connection of the agent on ${agent} has taken over`);
  });
}

/** Whose rows `resumeRuns` holds, in the ledger's order: those of every run that the agent or the record knows of. */
export async function deploymentsToResume(
  { ledger }: Pick<Edges, 'ledger'>,
  { agent }: Pick<Lease, 'agent'>,
  { runs }: Hello,
): Promise<readonly string[]> {
  const told = await Promise.all(runs.map(({ runId }) => ledger.run(runId)));
  const own = told.flatMap((run) => (run?.host === agent ? [run] : []));
  const ids = [...own, ...(await ledger.openRunsOnHost(agent))].map((run) => run.deploymentId);
  return [...new Set(ids)].sort();
}

async function resume(tx: Ledger, agent: string, { runId }: UnfinishedRun): Promise<ResumeRun> {
  const run = await tx.run(runId);
  if (run === null || run.host !== agent) return { runId, seq: 0, logs: [], abandoned: true };
  // It is told again, on this connection, and has the whole time to answer.
  if (run.status === 'dispatched' && run.cancelReason !== null)
    await tx.moveRun(run.id, 'dispatched', 'dispatched', { cancelReason: run.cancelReason });
  return { runId, seq: run.lastSeq, logs: await tx.logPositions(runId), abandoned: runHasEnded(run.status) };
}

/** One that is dispatched and not to be stopped is left alone: the agent is told of it again. */
async function endUnknown(tx: Ledger, run: RunRow): Promise<void> {
  const end = { currentStep: null, finished: true };
  if (run.status === 'running')
    await tx.moveRun(run.id, 'running', 'interrupted', { ...end, reason: forgotten(run) });
  if (run.status === 'dispatched' && run.cancelReason !== null)
    await tx.moveRun(run.id, 'dispatched', 'cancelled', { ...end, reason: run.cancelReason });
  await tx.wake({ about: 'deployment', id: run.deploymentId });
}

function forgotten({ host, phase }: RunRow): Reason {
  const message = `the agent on ${host} came back without the run it had begun: its state folder was lost`;
  return reason('agent_forgot_run', message, { facts: { host, phase } });
}
