import { advance } from '../../../controller/deployments/advance.js';
import type { DeploymentRow, NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import type { MemoryEdges } from '../../support/memory-edges.js';
import { ScriptedAgent, type Script } from '../../support/scripted-agent.js';
import { newDeployment } from '../db/samples.js';

/** Queues a deployment of the sample configuration's production. */
export async function queue(edges: MemoryEdges, more: Partial<NewDeployment> = {}): Promise<DeploymentRow> {
  return edges.ledger.insertDeployment(newDeployment({ id: edges.newId('d'), ...more }));
}

/** The agents of both hosts of the sample configuration's production. */
export function team(edges: MemoryEdges, script?: Script): ScriptedAgent[] {
  return ['web-1', 'web-2'].map((name) => new ScriptedAgent(edges, name, 1, script));
}

/** Advances and lets the agents work until nothing moves any more. */
export async function play(
  edges: MemoryEdges,
  id: string,
  agents: readonly ScriptedAgent[],
): Promise<Date | null> {
  for (let round = 0; round < 30; round += 1) {
    const until = await advance(edges, id);
    let worked = false;
    for (const agent of agents) worked = (await agent.work()) || worked;
    if (!worked) return until;
  }
  throw new Error('no rest');
}
