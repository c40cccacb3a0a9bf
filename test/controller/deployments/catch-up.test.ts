import { expect } from 'chai';
import { advance } from '../../../controller/deployments/advance.js';
import { catchUp } from '../../../controller/deployments/catch-up.js';
import type { Actor } from '../../../controller/deployments/edges.js';
import { leftBehind } from '../../../controller/deployments/left-behind.js';
import { lockFraise } from '../../../controller/deployments/lock-fraise.js';
import { watchReturns } from '../../../controller/deployments/watch-returns.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { reason } from '../../../controller/deployments/reason.js';
import { DeploymentPlan } from '../../../proto/gen/fraisier/v1/plan.js';
import { aDeployment, COMMIT, PREVIOUS } from '../../support/builders.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { ScriptedAgent } from '../../support/scripted-agent.js';
import { play, queue } from './play.js';

const ANA: Actor = { name: 'ana', role: 'deployer' };
const CATCHING = SAMPLE_CONFIGURATION.replace(
  'health_check',
  'rollout: { catch_up: true }\n        health_check',
);

describe('hosts that were left behind', () => {
  it('are brought up to date once, when they are back, with what is live and without a migration', async () => {
    const { edges, first } = await leftOut(CATCHING);
    expect(await catchUp(edges), 'it is away').to.deep.equal([]);
    await returns(edges, 'web-2');
    const made = await catchUp(edges);
    expect(made.map(({ onlyHosts, commit, originId }) => [onlyHosts, commit, originId])).to.deep.equal([
      [['web-2'], COMMIT, first],
    ]);
    expect(made[0]).to.include({ kind: 'retry', trigger: 'schedule', requestedBy: 'controller' });
    const recorded = edges.memory.state().audit.find(({ action }) => action === 'catch_up_requested');
    expect(recorded?.facts).to.include({ hosts: 'web-2', left_by: first, commit: COMMIT });
    expect(await catchUp(edges), 'one is under way').to.deep.equal([]);
    const { id } = made[0] as DeploymentRow;
    const agent = new ScriptedAgent(edges, 'web-2', 2);
    await play(edges, id, [agent]);
    expect(await edges.ledger.deployment(id)).to.include({ status: 'succeeded' });
    expect([agent.live, await catchUp(edges)]).to.deep.equal([COMMIT, []]);
  });

  it('are tried once: what failed on them is for somebody to look at', async () => {
    const { edges } = await leftOut(CATCHING);
    await returns(edges, 'web-2');
    await edges.ledger.setLive(new Map([['web-2', []]]));
    const [made] = await catchUp(edges);
    await play(edges, made?.id ?? '', [
      new ScriptedAgent(edges, 'web-2', 2, (step) => (step.name === 'health' ? 'failed' : 'succeeded')),
    ]);
    expect((await edges.ledger.deployment(made?.id ?? ''))?.status).not.to.equal('succeeded');
    expect(await catchUp(edges)).to.deep.equal([]);
  });

  it('are left alone when they were skipped while they were there', async () => {
    for (const wasAway of [true, false]) {
      const edges = await memoryEdges(CATCHING);
      const { id } = await queue(edges);
      const plan = DeploymentPlan.fromPartial({ hosts: [{ host: 'web-1' }, { host: 'web-2' }] });
      const answers = [{ host: 'web-2', act: 'skip' as const, by: 'ana', wasAway }];
      await edges.ledger.moveDeployment(id, 'queued', 'running', { plan, answers, started: true });
      await edges.ledger.moveDeployment(id, 'running', 'succeeded', { finished: true });
      expect(await catchUp(edges), `away: ${wasAway}`).to.have.length(wasAway ? 1 : 0);
    }
  });

  it('are brought up to date together when they come back together', async () => {
    const edges = await memoryEdges(CATCHING);
    const { id } = await queue(edges);
    const plan = DeploymentPlan.fromPartial({ leftOut: ['web-1', 'web-2'] });
    await edges.ledger.moveDeployment(id, 'queued', 'running', { plan, started: true });
    await edges.ledger.moveDeployment(id, 'running', 'succeeded', { finished: true });
    expect((await catchUp(edges)).map(({ onlyHosts }) => onlyHosts)).to.deep.equal([['web-1', 'web-2']]);
    expect(await catchUp(edges)).to.deep.equal([]);
  });

  it('are left alone where that is not wanted, is locked, or is no longer so', async () => {
    const unwanted = await leftOut(SAMPLE_CONFIGURATION);
    await returns(unwanted.edges, 'web-2');
    expect(await catchUp(unwanted.edges)).to.deep.equal([]);
    const { edges } = await leftOut(CATCHING);
    await returns(edges, 'web-2');
    await lockFraise(
      edges,
      { fraise: 'checkout', environment: 'production', reason: 'a sale', forMs: 60_000 },
      ANA,
    );
    expect(await catchUp(edges)).to.deep.equal([]);
    edges.pass(61);
    const without = CATCHING.replace('[web-1, web-2]', '[web-1]');
    const applied = { fileName: 'f', appliedBy: 'ana' };
    await edges.ledger.insertConfiguration({ text: without, ...applied });
    expect(await catchUp(edges), 'no host of it any more').to.deep.equal([]);
    await edges.ledger.insertConfiguration({
      text: CATCHING.replace('[web-1, web-2]', '[web-9]'),
      ...applied,
    });
    expect(await catchUp(edges), 'nobody knows its hosts').to.deep.equal([]);
    await edges.ledger.insertConfiguration({ text: CATCHING, ...applied });
    const live = {
      fraise: 'checkout',
      environment: 'production',
      appPath: '/srv/checkout',
      provenGood: true,
      origin: '',
    };
    await edges.ledger.setLive(new Map([['web-2', [{ ...live, release: COMMIT }]]]));
    expect(await catchUp(edges), 'somebody did it by hand').to.deep.equal([]);
  });

  it('are asked for once by two controllers, and by none before anything is configured or live', async () => {
    const { edges } = await leftOut(CATCHING);
    await returns(edges, 'web-2');
    const both = await Promise.all([catchUp(edges), catchUp(edges)]);
    expect(both.flat()).to.have.length(1);
    expect(await catchUp(await memoryEdges(''))).to.deep.equal([]);
    expect(await catchUp(await memoryEdges(CATCHING))).to.deep.equal([]);
  });

  it('are looked for again and again, whatever goes wrong with one look', async () => {
    const { edges } = await leftOut(CATCHING);
    await returns(edges, 'web-2');
    const errors: unknown[] = [];
    let looks = 0;
    const breaking = new Proxy(edges.ledger, {
      get: (target, name: keyof MemoryEdges['ledger']) =>
        name === 'currentConfiguration' && (looks += 1) === 1
          ? () => Promise.reject(new Error('away'))
          : target[name],
    });
    const found = await new Promise<DeploymentRow>((resolve) => {
      const watch = watchReturns(
        { ...edges, ledger: breaking },
        {
          onError: (error) => errors.push(error),
          onCaughtUp: (made) => void watch.stop().then(() => resolve(made)),
        },
      );
    });
    expect([found.onlyHosts, errors.map(String)]).to.deep.equal([['web-2'], ['Error: away']]);
  });

  it('are not looked for any more once that is stopped', async () => {
    const edges = await memoryEdges(CATCHING);
    let waits = 0;
    const never = (): void => expect.fail('nothing is to be found');
    const after: MemoryEdges['after'] = () => ((waits += 1), () => undefined);
    await watchReturns({ ...edges, after }, { onError: never, onCaughtUp: never, pollMs: 1 }).stop();
    expect(waits).to.equal(0);
  });

  it('are those that the newest deployment that went live left, by its record', () => {
    const by = (
      id: string,
      hosts: readonly string[],
      more: Partial<DeploymentRow> & { leftOut?: string[]; skipped?: string[] } = {},
    ) => {
      const { leftOut: out = [], skipped = [], ...rest } = more;
      const plan = DeploymentPlan.fromPartial({
        hosts: hosts.map((host) => ({ host })),
        leftOut: out,
        rollback: { skipped },
      });
      return aDeployment({ id, plan, status: 'succeeded', ...rest });
    };
    const told = (...ended: DeploymentRow[]) =>
      leftBehind(ended).map(
        (one) => `${one.host} ${one.by.id} ${one.wasAway ? 'away' : 'here'}${one.wasTried ? ' tried' : ''}`,
      );
    const older = by('d_1', ['a'], { leftOut: ['b'] });
    expect(told(older)).to.deep.equal(['b d_1 away']);
    expect(told(by('d_2', ['b']), older), 'deployed since').to.deep.equal([]);
    expect(told(by('d_2', ['b'], { status: 'failed' }), older)).to.deep.equal(['b d_1 away tried']);
    expect(told(by('d_2', ['a'], { leftOut: ['b'] }), older)).to.deep.equal(['b d_2 away']);
    expect(told(by('d_2', ['a'], { leftOut: ['b'], status: 'rolled_back' }), older)).to.deep.equal([
      'b d_1 away',
    ]);
    const back = { kind: 'rollback' as const, skipped: ['b'] };
    expect(told(by('d_2', ['a'], { ...back, status: 'rolled_back' }))).to.deep.equal(['b d_2 away']);
    expect(told(by('d_2', ['a'], { ...back, status: 'succeeded' }))).to.deep.equal(['b d_2 away']);
    const answers = [
      { host: 'a', act: 'skip' as const, by: 'ana', wasAway: false },
      { host: 'c', act: 'retry' as const, by: 'ana', wasAway: false },
    ];
    expect(told(by('d_2', ['a', 'c'], { answers }))).to.deep.equal(['a d_2 here']);
    const lost = reason('hosts_failed', 'live on a', { facts: { failed: 'b c', lost: 'b' } });
    expect(told(by('d_2', ['a', 'b', 'c'], { status: 'failed', reason: lost }))).to.deep.equal([
      'b d_2 away',
    ]);
  });
});

/** A deployment that went live on web-1 while web-2 was away. */
async function leftOut(configuration: string): Promise<{ edges: MemoryEdges; first: string }> {
  const edges = await memoryEdges(configuration);
  await edges.ledger.endLease('web-2', 1);
  edges.pass(1);
  const { id } = await queue(edges, { skipUnreachable: true });
  await advance(edges, id);
  await play(edges, id, [new ScriptedAgent(edges, 'web-1', 1)]);
  expect(await edges.ledger.deployment(id)).to.include({ status: 'succeeded' });
  edges.pass(1);
  return { edges, first: id };
}

async function returns(edges: MemoryEdges, name: string): Promise<void> {
  const live = {
    fraise: 'checkout',
    environment: 'production',
    appPath: '/srv/checkout',
    provenGood: true,
    origin: '',
  };
  await edges.ledger.takeLease(name, {
    ...{ controllerId: 'c_1', leaseMs: 3_600_000, agentVersion: '0.1.0', bootId: 'b', instanceId: 'i' },
    live: [{ ...live, release: PREVIOUS }],
  });
}
