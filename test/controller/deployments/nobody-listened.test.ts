import { expect } from 'chai';
import { advance } from '../../../controller/deployments/advance.js';
import { considerStart } from '../../../controller/deployments/consider-start.js';
import { decide, type Decision, type Situation } from '../../../controller/deployments/decide.js';
import { startDriver } from '../../../controller/deployments/driver.js';
import type { Edges } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { reason } from '../../../controller/deployments/reason.js';
import {
  aConfiguration,
  aDeployment,
  anAgent,
  anEnvironment,
  aRollout,
  aRun,
  at,
  COMMIT,
  NOON,
} from '../../support/builders.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { until } from '../../support/until.js';
import { play, queue, team } from './play.js';

const RED = reason('health_check_failed', 'GET /health answered 500');
const HOURS = 3600;

describe('after a time in which no controller listened', () => {
  it('a deployment goes on with hosts that did their work meanwhile and come back', async () => {
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', 'timeout: 5h\n        health_check'),
    );
    const { id } = await queue(edges);
    await play(
      edges,
      id,
      team(edges, (_, { phase }) => (phase === 'release' ? 'hangs' : 'succeeded')),
    );
    edges.pass(2 * HOURS);
    const back = startedAgain(edges);
    await advance(back, id);
    expect(await statusesOf(back, id)).to.deep.equal(['running', 'release running']);
    await runsAreReported(edges, id);
    for (const name of ['web-1', 'web-2']) await edges.ledger.renewLease(name, 1, 30_000);
    await play(back, id, team(edges));
    expect((await edges.ledger.deployment(id))?.status).to.equal('succeeded');
  });

  it('a host that does not come back is given up after two leases', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const agents = team(edges, (_, { phase }) => (phase === 'release' ? 'hangs' : 'succeeded'));
    await play(edges, id, agents);
    edges.pass(2 * HOURS);
    const back = { ...startedAgain(edges), listening: { since: await edges.ledger.now() } };
    edges.pass(59);
    await advance(back, id);
    expect(await statusesOf(back, id)).to.deep.equal(['running', 'release running']);
    edges.pass(1);
    await advance(back, id);
    expect(await statusesOf(back, id)).to.deep.equal(['rolling_back', 'undo pending']);
  });

  it('a clock is believed only when what was in hand has been heard of, and then at once', () => {
    const prepared = ['web-1', 'web-2'].map((host) => aRun(host, 'prepare', 'succeeded'));
    const running = [...prepared, aRun('web-1', 'release', 'running')];
    expect(given(running, true)).not.to.have.any.keys('move', 'cancel', 'start');
    expect(given(running, false).move?.reason?.code).to.equal('deployment_timed_out');
    const ended = [...prepared, aRun('web-1', 'release', 'succeeded')];
    expect(given(ended, true).move?.reason?.code).to.equal('deployment_timed_out');
    const notSent = [...prepared, aRun('web-1', 'release', 'pending')];
    expect(given(notSent, true).move?.reason?.code).to.equal('deployment_timed_out');
    const slow = { progressMs: 60_000 };
    expect(given(running, true, slow, 300).move).to.equal(undefined);
    expect(given(running, false, slow, 300).move?.reason?.code).to.equal('no_progress');
  });

  it('a host still has time to be taken back, when everything goes back and when only it does', () => {
    const failed = [
      ...['web-1', 'web-2'].map((host) => aRun(host, 'prepare', 'succeeded')),
      aRun('web-1', 'release', 'succeeded'),
      aRun('web-2', 'release', 'failed', { reason: RED }),
      aRun('web-2', 'undo', 'pending', { createdAt: at(10) }),
    ];
    const back = { status: 'rolling_back' as const, reason: RED };
    expect(given(failed, true, {}, 2000, back).drop).to.equal(undefined);
    expect(given(failed, false, {}, 2000, back).drop).to.have.length(1);
    const pruned = [...failed, aRun('web-1', 'prune', 'succeeded')];
    expect(given(pruned, true, { maxFailures: 1 }, 100).drop).to.equal(undefined);
    expect(given(pruned, false, { maxFailures: 1 }, 100).drop).to.have.length(1);
  });

  it('a rollout that may go on without a host waits for it all the same', () => {
    const prepared = ['web-1', 'web-2'].map((host) => aRun(host, 'prepare', 'succeeded'));
    const runs = [...prepared, aRun('web-2', 'release', 'pending', { createdAt: at(1) })];
    expect(given(runs, true, { maxFailures: 1 }, 100).drop).to.equal(undefined);
    expect(given(runs, false, { maxFailures: 1 }, 100).drop).to.have.length(1);
  });

  it('nobody is left out for being away: the hosts may only not be back yet', () => {
    const environment = anEnvironment({});
    const agents = [anAgent('web-1'), anAgent('web-2', { leaseExpiresAt: at(-60) })];
    const queued = aDeployment({ status: 'queued', plan: null, startedAt: null, skipUnreachable: true });
    const configured = { configuration: aConfiguration(environment), environment };
    const start = (isGathering: boolean) =>
      considerStart(queued, { unfinished: [queued], lock: null, agents, configured, now: NOON, isGathering });
    expect(start(true)).to.have.nested.property('wait.code', 'agent_away');
    expect(start(false)).to.have.nested.property('start.leftOut').that.deep.equals(['web-2']);
  });

  it('the time begins with the first look at the ledger, and again when that was away', async () => {
    const edges = await memoryEdges();
    let broken = false;
    const ledger = new Proxy(edges.ledger, {
      get: (target, name: keyof Ledger) =>
        broken && name === 'unfinishedDeployments' ? () => Promise.reject(new Error('away')) : target[name],
    });
    const listening: { since: Date | null } = { since: null };
    const driver = startDriver({ ...edges, ledger, listening }, { onError: () => undefined, pollMs: 1 });
    await until('it listens', () => Promise.resolve(listening.since !== null));
    const first = listening.since;
    broken = true;
    await until('it does not', () => Promise.resolve(listening.since === null));
    edges.pass(100);
    broken = false;
    await until('it does again', () => Promise.resolve(listening.since !== null));
    expect(Number(listening.since) - Number(first)).to.equal(100_000);
    await driver.stop();
  });
});

function given(
  runs: readonly RunRow[],
  isGathering: boolean,
  rollout: Parameters<typeof aRollout>[0] = {},
  seconds = 900,
  more: Partial<DeploymentRow> = {},
): Decision {
  const environment = anEnvironment({ rollout: aRollout(rollout) });
  const plan = makePlan({
    environment,
    commit: COMMIT,
    ref: 'main',
    hosts: ['web-1', 'web-2'],
    madeAt: NOON,
  });
  // One that is away is not given up for that before the limit of its step.
  const hosts = ['web-1', 'web-2'].map((name) => ({
    name,
    leaseExpiresAt: at(name === 'web-1' ? 9000 : 1),
    validUntil: at(9000),
  }));
  const situation: Situation = {
    deployment: aDeployment({ plan, ...more }),
    runs,
    hosts,
    now: at(seconds),
    isGathering,
  };
  return decide(situation);
}

function startedAgain(edges: MemoryEdges): MemoryEdges {
  return { ...edges, listening: { since: null } };
}

async function statusesOf({ ledger }: Edges, id: string): Promise<string[]> {
  const last = (await ledger.runsOf(id)).at(-1);
  return [(await ledger.deployment(id))?.status ?? '', `${last?.phase} ${last?.status}`];
}

/** What a journal held. */
async function runsAreReported({ ledger }: Edges, id: string): Promise<void> {
  for (const run of await ledger.runsOf(id))
    if (run.status === 'running') await ledger.moveRun(run.id, 'running', 'succeeded', { finished: true });
}
