import { expect } from 'chai';
import { dispatchOne } from '../../support/one-agent.js';
import { advance } from '../../../controller/deployments/advance.js';
import { causesOf, nextOf } from '../../../controller/deployments/causes.js';
import type { Situation } from '../../../controller/deployments/decide.js';
import { explain } from '../../../controller/deployments/explain.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { lockFraise } from '../../../controller/deployments/lock-fraise.js';
import { DEPLOYMENT_STATUSES } from '../../../controller/deployments/lifecycle.js';
import { reason } from '../../../controller/deployments/reason.js';
import { cancelDeployment } from '../../../controller/deployments/steer-deployment.js';
import { aDeployment, anEnvironment, aRun, at, COMMIT } from '../../support/builders.js';
import { memoryEdges, type MemoryEdges } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';

const ENDED_BADLY: readonly string[] = [
  'failed',
  'rolled_back',
  'rollback_failed',
  'cancelled',
  'superseded',
];
const ANA = { name: 'ana', role: 'admin' } as const;
const HERE = { leaseExpiresAt: at(3600), validUntil: at(3600) };

function situation(runs: readonly RunRow[], more: Partial<Situation> = {}): Situation {
  const hosts = ['web-1', 'web-2'].map((name) => ({ name, ...HERE }));
  return { deployment: aDeployment(), runs, hosts, now: at(10), ...more };
}

function chain(
  deployment: DeploymentRow,
  started: readonly Situation[],
  others: readonly DeploymentRow[] = [],
) {
  const unfinished = [...started.map((one) => one.deployment), ...others];
  return causesOf(deployment, { unfinished, started }).map(({ code, message }) => `${code}: ${message}`);
}

const waitsFor = (id: string) =>
  reason('deployment_running', `waits for ${id}, which is running`, { facts: { deployment: id } });

describe('why a deployment waits, or was stopped', () => {
  const queued = aDeployment({ id: 'd_2', status: 'queued', plan: null, reason: waitsFor('d_1') });
  const inRestart = aRun('web-1', 'release', 'running', {
    currentStep: { name: 'restart', startedAt: at(5), timeoutMs: 60_000 },
  });
  const prepared = ['web-1', 'web-2'].map((host) => aRun(host, 'prepare', 'succeeded'));

  it('leads from the queue to the step that everything waits for', () => {
    expect(chain(queued, [situation([...prepared, inRestart])])).to.deep.equal([
      'deployment_running: waits for d_1, which is running',
      'waiting_for_host: release on web-1 is running',
      'waiting_for_host: web-1 is in the step restart of release since 2026-05-01T12:00:05.000Z; ' +
        'it may take until 2026-05-01T12:01:05.000Z',
    ]);
  });

  it('ends at the host that is away, whichever run is the first', () => {
    const open = [aRun('web-1', 'prepare', 'running'), aRun('web-2', 'prepare', 'dispatched')];
    const away = (leaseExpiresAt: Date | null) => [
      { name: 'web-1', ...HERE },
      { name: 'web-2', leaseExpiresAt, validUntil: leaseExpiresAt },
    ];
    const causes = causesOf(aDeployment(), {
      unfinished: [],
      started: [situation(open, { hosts: away(at(8)) })],
    });
    expect(causes.map(({ message }) => message)).to.deep.equal([
      'prepare on web-1 is running, prepare on web-2 is dispatched',
      'prepare on web-2 is dispatched',
      'the agent on web-2 has been away since 2026-05-01T12:00:08.000Z; it goes on when it is back, if its limit has not passed by then',
    ]);
    expect(nextOf(causes, null)).to.equal('systemctl status fraisier-agent (on web-2)');
    expect(chain(aDeployment(), [situation(open, { hosts: away(null) })]).at(-1)).to.equal(
      'agent_away: the agent on web-2 has never connected; it goes on when it is back, if its limit has not passed by then',
    );
  });

  it('is the batch before, while that bakes', () => {
    const environmentConfig = anEnvironment();
    const baking = { ...environmentConfig, rollout: { ...environmentConfig.rollout, bakeMs: 60_000 } };
    const deployment = aDeployment({ environmentConfig: baking });
    const runs = [...prepared, aRun('web-1', 'release', 'succeeded', { finishedAt: at(9) })];
    expect(chain(deployment, [situation(runs, { deployment })])).to.deep.equal([
      'waiting_for_host: batch 2 of 2 waits until the one before has baked',
    ]);
  });

  it('says once why it is being stopped, and which run is waited for', () => {
    const why = reason('cancelled', 'cancelled by ana');
    const deployment = aDeployment({ reason: why });
    const stopping = { ...inRestart, cancelReason: why };
    const told = chain(deployment, [situation([...prepared, stopping], { deployment })]);
    expect(told).to.have.length(2);
    expect(told[0]).to.equal('cancelled: cancelled by ana');
    expect(told[1]).to.contain('web-1 is in the step restart');
  });

  it('is the reason of its pause, or of its end, and what superseded it', () => {
    const paused = aDeployment({
      status: 'paused',
      reason: reason('run_failed', 'release on web-1: no', { hint: 'fraisier continue d_1' }),
    });
    const causes = causesOf(paused, {
      unfinished: [paused],
      started: [situation([], { deployment: paused })],
    });
    expect(causes).to.deep.equal([paused.reason]);
    expect(nextOf(causes, null)).to.equal('fraisier continue d_1');
    const continued = { ...paused, continueRequestedBy: 'ana' };
    expect(chain(continued, [situation([], { deployment: continued })])).to.have.length(1);
    expect(nextOf([], null)).to.equal('');
    const superseded = aDeployment({
      id: 'd_0',
      status: 'superseded',
      reason: reason('superseded', 'superseded by d_2', { facts: { by: 'd_2' } }),
    });
    expect(chain(superseded, [], [queued])).to.deep.equal([
      'superseded: superseded by d_2',
      'deployment_running: waits for d_1, which is running',
    ]);
    expect(chain(aDeployment({ status: 'succeeded' }), [])).to.deep.equal([]);
  });

  it('ends at a host that is away, where too few are healthy without it', () => {
    const base = anEnvironment();
    const rollout = { ...base.rollout, minHealthy: 2 };
    const deployment = aDeployment({ environmentConfig: { ...base, rollout } });
    const gone = [
      { name: 'web-1', ...HERE },
      ...['away', 'web-2'].map((name) => ({ name, leaseExpiresAt: at(8), validUntil: at(8) })),
    ];
    const causes = causesOf(deployment, {
      unfinished: [deployment],
      started: [situation(prepared, { deployment, hosts: gone })],
    });
    expect(causes.map(({ code }) => code)).to.deep.equal(['too_few_healthy', 'agent_away']);
    expect(nextOf(causes, deployment)).to.equal('systemctl status fraisier-agent (on web-2)');
  });

  it('ends with a command also where the reason has none of its own', () => {
    const why = (facts: Record<string, string>) => reason('run_failed', 'it failed', { facts });
    const next = (more: Parameters<typeof aDeployment>[0], facts: Record<string, string> = {}) =>
      nextOf([why(facts)], aDeployment({ reason: why(facts), ...more }));
    for (const status of ['failed', 'rolled_back', 'rollback_failed'] as const) {
      expect(next({ status })).to.equal('fraisier retry d_1');
      expect(next({ status }, { host: 'web-1' })).to.equal('fraisier logs d_1 --host web-1');
    }
    expect(next({ status: 'failed', kind: 'rollback' })).to.equal('fraisier rollback checkout production');
    expect(next({ status: 'cancelled', reason: null })).to.equal('fraisier retry d_1');
    expect(next({ status: 'superseded' })).to.equal('fraisier status checkout production');
    for (const status of DEPLOYMENT_STATUSES.filter((one) => !ENDED_BADLY.includes(one)))
      expect(next({ status }), 'only time, or nothing').to.equal('');
  });

  it('ends when reasons of two moments name each other', () => {
    const one = { ...queued, id: 'd_8', reason: waitsFor('d_9') };
    const other = { ...queued, id: 'd_9', reason: waitsFor('d_8') };
    expect(chain(one, [], [one, other])).to.have.length(2);
  });
});

describe('asking why', () => {
  const ask = (edges: MemoryEdges, deploymentId = '') =>
    explain(edges, { deploymentId, fraise: 'checkout', environment: 'production' });

  async function request(edges: MemoryEdges): Promise<string> {
    const { id } = await edges.ledger.insertDeployment({
      ...{ id: edges.newId('d'), fraise: 'checkout', environment: 'production', kind: 'deploy' },
      ...{ commit: COMMIT, ref: 'main', configRevision: 1, trigger: 'cli', requestedBy: 'ana' },
      ...{ webhookId: null, requestId: null, originId: null, force: false, onlyHosts: [] },
      ...{ pushedAt: null, rollback: null },
    });
    return id;
  }

  it('of an environment explains what waits longest, with its place in the queue', async () => {
    const edges = await memoryEdges();
    const first = await request(edges);
    await advance(edges, first);
    await dispatchOne(edges, 'web-1', 1);
    const second = await request(edges);
    await advance(edges, second);
    const told = await ask(edges);
    expect(told.deployment?.id).to.equal(second);
    expect(told.queued?.position).to.equal(1);
    expect(told.causes.map(({ message }) => message)).to.deep.equal([
      `waits for ${first}, which is running`,
      'prepare on web-1 is dispatched, prepare on web-2 is pending',
      'prepare on web-1 is dispatched',
    ]);
    expect((await ask(edges, first)).queued).to.equal(null);
  });

  it('of an environment where nothing waits tells of the lock, and of a last one that ended badly', async () => {
    const edges = await memoryEdges();
    expect(await ask(edges)).to.deep.equal({
      ...{ fraise: 'checkout', environment: 'production' },
      ...{ deployment: null, queued: null, causes: [] },
    });
    const id = await request(edges);
    await advance(edges, id);
    await cancelDeployment(edges, id, ANA);
    await advance(edges, id);
    expect(await ask(edges)).to.have.nested.property('causes[0].code', 'cancelled');
    const good = await request(edges);
    edges.pass(1);
    await edges.ledger.moveDeployment(good, 'queued', 'running', { started: true });
    await edges.ledger.moveDeployment(good, 'running', 'succeeded', { finished: true });
    const where = { fraise: 'checkout', environment: 'production' };
    await lockFraise(edges, { ...where, reason: 'a sale', forMs: null }, ANA);
    const locked = await ask(edges);
    expect(locked.deployment).to.equal(null);
    expect(locked.causes.map(({ code }) => code)).to.deep.equal(['locked']);
  });

  it('of what is not there is refused', async () => {
    const edges = await memoryEdges();
    expect((await refused(ask(edges, 'd_x'))).code).to.equal('unknown_deployment');
    const nowhere = { deploymentId: '', fraise: 'checkout', environment: 'x' };
    expect((await refused(explain(edges, nowhere))).code).to.equal('unknown_environment');
  });
});
