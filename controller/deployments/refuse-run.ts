import { FraisierError } from '../../proto/error-codes.js';
import type { RunRefused } from '../../proto/gen/fraisier/v1/agent.js';
import type { Edges } from './edges.js';
import { reason } from './reason.js';
import type { Lease } from './record-progress.js';

/**
 * Ends a run that its host could not take on: `failed`, with the host's reason. Throws `protocol_violation` for a run that
 * is another's or that it has reported on, and `agent_replaced` for a stream that is not the newest; nothing happens
 * to one that ended meanwhile.
 */
export async function refuseRun(
  { ledger }: Pick<Edges, 'ledger'>,
  { agent, epoch }: Lease,
  refused: RunRefused,
): Promise<void> {
  await ledger.transaction(async (tx) => {
    const told = await tx.run(refused.runId);
    if (told === null || told.host !== agent || told.status === 'running')
      throw violation(agent, refused.runId);
    await tx.holdDeployment(told.deploymentId);
    if (!(await tx.holdLease(agent, epoch))) {
      throw new FraisierError('agent_replaced', `a newer connection of the agent on ${agent} has taken over`);
    }
    const why = refused.reason ?? reason('run_failed', `${agent} refused it without a reason`);
    await tx.moveRun(told.id, 'dispatched', 'failed', { reason: why, finished: true });
    await tx.wake({ about: 'deployment', id: told.deploymentId });
  });
}

function violation(agent: string, runId: string): FraisierError {
  const message = `the agent on ${agent} refuses run ${runId}, which is not its own to refuse`;
  return new FraisierError('protocol_violation', message, { facts: { host: agent } });
}
