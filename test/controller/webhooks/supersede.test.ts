import { expect } from 'chai';
import type { NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import type { InLine } from '../../../controller/webhooks/join-line.js';
import { writeQueued } from '../../../controller/webhooks/write-queued.js';
import { newDelivery, newDeployment } from '../db/samples.js';
import { memoryStore } from './support.js';

const [OLD, NEW] = ['a'.repeat(40), 'b'.repeat(40)];

/** Each of them supersedes those before it, and the last one waits. */
function oneAfterTheOther(waiting: readonly NewDeployment[], pushed: readonly NewDeployment[]): InLine[] {
  return pushed.map((deployment, index) => ({
    line: { unfinished: [], live: null },
    deployment,
    newer: null,
    superseded: index === 0 ? waiting : [pushed[index - 1] as NewDeployment],
    remark: null,
  }));
}

describe('a queued push that a newer one supersedes', () => {
  const of = (id: string, commit: string): NewDeployment =>
    newDeployment({ id, commit, fraise: 'shop', environment: 'staging' });

  async function written(waiting: readonly NewDeployment[], pushed: readonly NewDeployment[]) {
    const { ledger, wakes, ...store } = await memoryStore();
    for (const one of waiting) await ledger.insertDeployment(one);
    const delivery = await ledger.insertDelivery(newDelivery());
    const joined = oneAfterTheOther(waiting, pushed);
    await ledger.transaction((tx) =>
      writeQueued(
        tx,
        joined.map((one) => ({ delivery, sender: 'ana', joined: one })),
      ),
    );
    const told = (await ledger.unaddressedNotifications(100)).map(({ payload }) => payload);
    const statuses = (await store.deployments()).map(({ status }) => status);
    await store.close();
    return { told, statuses, wakes };
  }

  it('tells of its end, unless the newer one is of the same commit and has the word', async () => {
    const { told, statuses } = await written([of('d_1', OLD), of('d_2', NEW)], [of('d_3', NEW)]);
    expect(statuses).to.deep.equal(['superseded', 'superseded', 'queued']);
    expect(told).to.deep.equal([
      { deployment: 'd_1', status: 'superseded' },
      { deployment: 'd_3', status: 'queued' },
    ]);
  });

  it('in the same transaction says only how it ended', async () => {
    const { told, statuses } = await written([], [of('d_1', OLD), of('d_2', NEW)]);
    expect(statuses).to.deep.equal(['superseded', 'queued']);
    expect(told).to.deep.equal([
      { deployment: 'd_1', status: 'superseded' },
      { deployment: 'd_2', status: 'queued' },
    ]);
  });

  it('wakes whoever watches it; only of the newest there is something to decide', async () => {
    const { wakes } = await written([of('d_0', OLD)], [of('d_1', OLD), of('d_2', NEW)]);
    expect(wakes).to.deep.equal([
      { about: 'events', deploymentId: 'd_0' },
      { about: 'deployment', id: 'd_2' },
    ]);
  });
});
