import type { Hello, ResumeRun, UnfinishedRun } from '../../proto/gen/fraisier/v1/agent.js';
import { reason } from './reason.js';
import type { Edges } from './edges.js';
import type { Ledger, RunRow } from './ledger.js';
import { runHasEnded } from './lifecycle.js';

/**
 * Compares what a connecting agent still has with the record: where each of its runs goes on, and which are over.
 * A run the record calls `running` that the agent does not know ends `interrupted`: its outcome cannot be learned.
 */
export async function resumeRuns(
  { ledger }: Edges,
  agent: string,
  hello: Hello,
): Promise<readonly ResumeRun[]> {
  return ledger.transaction(async (tx) => {
    const known = new Set(hello.runs.map((run) => run.runId));
    const open = await tx.openRunsOnHost(agent);
    for (const run of open) if (run.status === 'running' && !known.has(run.id)) await interrupt(tx, run);
    return Promise.all(hello.runs.map((run) => resume(tx, agent, run)));
  });
}

async function resume(tx: Ledger, agent: string, { runId }: UnfinishedRun): Promise<ResumeRun> {
  const run = await tx.run(runId);
  if (run === null || run.host !== agent) return { runId, seq: 0, logs: [], abandoned: true };
  return { runId, seq: run.lastSeq, logs: await tx.logPositions(runId), abandoned: runHasEnded(run.status) };
}

async function interrupt(tx: Ledger, run: RunRow): Promise<void> {
  await tx.holdDeployment(run.deploymentId);
  const why = reason(
    'agent_forgot_run',
    `the agent on ${run.host} came back without the run it had begun: its state folder was lost`,
    {
      facts: { host: run.host, phase: run.phase },
    },
  );
  await tx.moveRun(run.id, 'running', 'interrupted', { reason: why, currentStep: null, finished: true });
  await tx.wake({ about: 'deployment', id: run.deploymentId });
}
