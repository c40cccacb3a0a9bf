import { expect } from 'chai';
import { advance } from '../../../controller/deployments/advance.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { dispatchOne, recordOne } from '../../support/one-agent.js';
import { refuseRun } from '../../../controller/deployments/refuse-run.js';
import { reason } from '../../../controller/deployments/reason.js';
import { memoryEdges, type MemoryEdges } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { newDeployment } from '../db/samples.js';

const FULL = reason('disk_full', 'the agent cannot write down what it is to do');

describe('a run that its host cannot take on', () => {
  it('has failed, with the reason of the host, and so has the deployment', async () => {
    const { edges, run, epoch } = await dispatched();
    await refuseRun(edges, { agent: 'web-1', epoch }, { runId: run.id, reason: FULL });
    expect(await edges.ledger.run(run.id)).to.deep.include({ status: 'failed', reason: FULL });
    await advance(edges, run.deploymentId);
    expect((await edges.ledger.deployment(run.deploymentId))?.reason?.code).to.equal('disk_full');
  });

  it('has failed also without a reason', async () => {
    const { edges, run, epoch } = await dispatched();
    await refuseRun(edges, { agent: 'web-1', epoch }, { runId: run.id, reason: undefined });
    expect((await edges.ledger.run(run.id))?.reason?.message).to.equal('web-1 refused it without a reason');
  });

  it('stays as it ended meanwhile', async () => {
    const { edges, run, epoch } = await dispatched();
    await edges.ledger.moveRun(run.id, 'dispatched', 'lost', { finished: true });
    await refuseRun(edges, { agent: 'web-1', epoch }, { runId: run.id, reason: FULL });
    expect((await edges.ledger.run(run.id))?.status).to.equal('lost');
  });

  it('is its own, and one that it has not begun', async () => {
    const { edges, run, epoch } = await dispatched();
    const ask = (agent: string, runId: string, at = epoch) =>
      refused(refuseRun(edges, { agent, epoch: at }, { runId, reason: FULL }));
    expect((await ask('web-2', run.id)).code).to.equal('protocol_violation');
    expect((await ask('web-1', 'r_0')).code).to.equal('protocol_violation');
    expect((await ask('web-1', run.id, epoch + 1)).code).to.equal('agent_replaced');
    const started = { $case: 'runStarted' as const, value: { bootId: '' } };
    const value = { runId: run.id, seq: 1, at: new Date(0), event: started };
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value }]);
    expect((await ask('web-1', run.id)).code).to.equal('protocol_violation');
    expect((await edges.ledger.run(run.id))?.status).to.equal('running');
  });
});

/** A deployment whose first run was handed to web-1. */
async function dispatched(): Promise<{ edges: MemoryEdges; run: RunRow; epoch: number }> {
  const edges = await memoryEdges();
  const { id } = await edges.ledger.insertDeployment(newDeployment({ id: edges.newId('d') }));
  await advance(edges, id);
  await dispatchOne(edges, 'web-1', 1);
  const [run] = await edges.ledger.openRunsOnHost('web-1');
  if (run === undefined) throw new Error('nothing was dispatched');
  return { edges, run, epoch: 1 };
}
