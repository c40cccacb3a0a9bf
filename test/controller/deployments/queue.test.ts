import { expect } from 'chai';
import { queueOf } from '../../../controller/deployments/queue.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { reason } from '../../../proto/error-codes.js';
import { aDeployment } from '../../support/builders.js';

const NOW = new Date('2026-01-01T12:00:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);
const took = (seconds: number, status: DeploymentRow['status'] = 'succeeded') =>
  aDeployment({ status, startedAt: ago(1000 + seconds), finishedAt: ago(1000) });
const waiting = (id: string, more: Partial<DeploymentRow> = {}) =>
  aDeployment({ id, status: 'queued', startedAt: null, finishedAt: null, reason: null, ...more });
const running = aDeployment({ id: 'd_0', status: 'running', startedAt: ago(20), finishedAt: null });
const ended = [took(60), took(50), took(900), took(5, 'failed')];

const queue = (unfinished: readonly DeploymentRow[], more: object = {}) =>
  queueOf({ unfinished, lock: null, ended, now: NOW, ...more }).map(
    ({ deploymentId, position, expectedWaitMs }) => [deploymentId, position, expectedWaitMs],
  );

describe('the queue of an environment', () => {
  it('waits as long as what runs will still take, and each of those ahead, by the median of the past', () => {
    expect(queue([running, waiting('d_1'), waiting('d_2')])).to.deep.equal([
      ['d_1', 1, 40_000],
      ['d_2', 2, 100_000],
    ]);
    const long = { ...running, startedAt: ago(600) };
    expect(queue([long, waiting('d_1')])).to.deep.equal([['d_1', 1, 0]]);
    expect(queue([waiting('d_1')])).to.deep.equal([['d_1', 1, 0]]);
  });

  it('lets a rollback go first, and past a lock', () => {
    const rollback = waiting('d_9', { kind: 'rollback' });
    const lock = {
      id: 'l',
      fraise: 'a',
      environment: 'b',
      owner: 'ana',
      reason: 'x',
      lockedAt: NOW,
      expiresAt: null,
    };
    expect(queue([waiting('d_1'), rollback], { lock })).to.deep.equal([
      ['d_9', 1, 0],
      ['d_1', 2, undefined],
    ]);
  });

  it('does not say how long when a person or a host has to come first, or nothing was measured', () => {
    const away = waiting('d_1', { reason: reason('agent_away', 'web-1 is away') });
    expect(queue([away])).to.deep.equal([['d_1', 1, undefined]]);
    for (const active of [
      { ...running, status: 'paused' },
      { ...running, status: 'rolling_back' },
      { ...running, startedAt: null },
    ] as const)
      expect(queue([active, waiting('d_1')])).to.deep.equal([['d_1', 1, undefined]]);
    expect(queue([running, waiting('d_1')], { ended: [] })).to.deep.equal([['d_1', 1, undefined]]);
    expect(queue([waiting('d_1'), waiting('d_2')], { ended: [] })).to.deep.equal([
      ['d_1', 1, 0],
      ['d_2', 2, undefined],
    ]);
  });

  it('tells why each waits', () => {
    const why = reason('deployment_running', 'waits for d_0');
    const [first] = queueOf({
      ...{ unfinished: [running, waiting('d_1', { reason: why })], lock: null, ended, now: NOW },
    });
    expect(first?.reason).to.deep.equal(why);
  });
});
