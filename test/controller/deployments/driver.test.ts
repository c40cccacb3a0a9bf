import { expect } from 'chai';
import { afterRealTime } from '../../../controller/deployments/edges.js';
import { startDriver } from '../../../controller/deployments/driver.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { COMMIT } from '../../support/builders.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { ScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';
import { newDeployment } from '../db/samples.js';

describe('the driver', () => {
  it('finds what is unfinished when it starts, without being woken', async () => {
    const edges = await memoryEdges();
    await queue(edges);
    const driver = startDriver(edges, { onError });
    await until('it', async () => (await edges.ledger.deployment('d_0'))?.status === 'running');
    await driver.stop();
  });

  it('drives a deployment to its end by wake-ups, through a bake', async () => {
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', 'rollout: { bake: 1s }\n        health_check'),
    );
    const turning: MemoryEdges = {
      ...edges,
      after: (ms, act) => edges.after(ms, () => (edges.pass(ms / 1000), act())),
    };
    const driver = startDriver(turning, { onError, pollMs: 100 });
    await queue(edges);
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    const agents = ['web-1', 'web-2'].map((name) => new ScriptedAgent(edges, name, 1));
    await until('it', async () => {
      for (const agent of agents) await agent.work();
      return (await edges.ledger.deployment('d_0'))?.status === 'succeeded';
    });
    await driver.stop();
  });

  it('reports a ledger that does not answer, and goes on when it does', async () => {
    const edges = await memoryEdges();
    await queue(edges);
    let broken = true;
    const errors: (string | null)[] = [];
    const ledger = new Proxy(edges.ledger, {
      get: (target, name: keyof Ledger) =>
        broken && name !== 'now' ? () => Promise.reject(new Error('away')) : target[name],
    });
    const driver = startDriver({ ...edges, ledger }, { onError: (_, id) => errors.push(id), pollMs: 1 });
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    await until('it', () => Promise.resolve(errors.includes(null) && errors.includes('d_0')));
    broken = false;
    await until('it', async () => (await edges.ledger.deployment('d_0'))?.status === 'running');
    await driver.stop();
  });

  it('takes up a few at a time, each of them in the end, so that connections are left for others', async () => {
    const edges = await memoryEdges('');
    let inside = 0;
    let most = 0;
    const seen = new Set<string>();
    const doors: (() => void)[] = [];
    const ledger = {
      ...edges.ledger,
      deployment: async (id: string) => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise<void>((resolve) => doors.push(resolve));
        inside -= 1;
        seen.add(id);
        return null;
      },
    };
    const driver = startDriver({ ...edges, ledger }, { onError });
    for (let n = 0; n < 12; n += 1) await edges.ledger.wake({ about: 'deployment', id: `d_${n}` });
    await until('all of them', () => {
      doors.splice(0, 1).forEach((open) => open());
      return seen.size === 12;
    });
    expect(most).to.equal(5);
    doors.forEach((open) => open());
    await driver.stop();
  });

  it('stops with what it has in hand, and takes up nothing more', async () => {
    const edges = await memoryEdges();
    await queue(edges);
    const driver = startDriver(edges, { onError });
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    await driver.stop();
    const runs = await edges.ledger.runsOf('d_0');
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    expect(await edges.ledger.runsOf('d_0')).to.deep.equal(runs);
  });

  it('calls off what it would have asked again', async () => {
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', 'rollout: { bake: 1h }\n        health_check'),
    );
    const calledOff: number[] = [];
    const patient: MemoryEdges = { ...edges, after: (ms) => () => calledOff.push(ms) };
    const driver = startDriver(patient, { onError, pollMs: 7 });
    await queue(edges);
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    const agents = ['web-1', 'web-2'].map((name) => new ScriptedAgent(edges, name, 1));
    await until('web-1 to be released', async () => {
      for (const agent of agents) await agent.work();
      return (await edges.ledger.agent('web-1'))?.live.some((live) => live.release === COMMIT);
    });
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    await until('the bake', () => calledOff.length > 0 || edges.ledger.now().then(() => false), {
      timeoutMs: 300,
    }).catch(() => undefined);
    await driver.stop();
    expect(calledOff).to.include(3_600_000).and.to.include(7);
  });

  it('asks again before the end of a lock that is further away than any timer', async () => {
    const edges = await memoryEdges();
    const waits: number[] = [];
    const patient: MemoryEdges = { ...edges, after: (ms) => (waits.push(ms), () => undefined) };
    await queue(edges);
    const lock = { id: 'l_1', fraise: 'checkout', environment: 'production', owner: 'ana', reason: 'a sale' };
    await edges.ledger.insertLock({ ...lock, forMs: 90 * 24 * 3_600_000 });
    const driver = startDriver(patient, { onError, pollMs: 7 });
    await until('it to wait', () => waits.some((ms) => ms > 7));
    await driver.stop();
    expect(Math.max(...waits)).to.equal(24 * 3_600_000);
  });

  it('does nothing once stopped', async () => {
    const edges = await memoryEdges();
    const driver = startDriver(edges, { onError });
    await driver.stop();
    await queue(edges);
    await edges.ledger.wake({ about: 'deployment', id: 'd_0' });
    await new Promise((resolve) => setImmediate(resolve));
    expect((await edges.ledger.deployment('d_0'))?.status).to.equal('queued');
  });
});

describe('time of the real world', () => {
  it('calls once, or never when it is called off', async () => {
    const called: string[] = [];
    afterRealTime(1, () => called.push('never'))();
    await new Promise<void>((resolve) => void afterRealTime(2, () => (called.push('once'), resolve())));
    expect(called).to.deep.equal(['once']);
  });
});

function onError(error: unknown): void {
  throw error;
}

async function queue(edges: MemoryEdges): Promise<void> {
  await edges.ledger.insertDeployment(newDeployment({ id: 'd_0' }));
}
