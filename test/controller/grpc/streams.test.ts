import { expect } from 'chai';
import { advance } from '../../../controller/deployments/advance.js';
import { appendLog } from '../db/samples.js';
import { recordOne } from '../../support/one-agent.js';
import type { Edges } from '../../../controller/deployments/edges.js';
import type { WatchEvent } from '../../../proto/gen/fraisier/v1/control.js';
import { SAMPLE_CONFIGURATION } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { ScriptedAgent } from '../../support/scripted-agent.js';
import { withCallers, type CallersLab } from './callers-lab.js';
import { newDeployment } from '../db/samples.js';

const HOSTS = ['web-1', 'web-2'];

/** Queues a deployment of the sample configuration to two hosts that are here. */
async function queued({ ledger }: Edges): Promise<void> {
  await ledger.insertConfiguration({
    text: SAMPLE_CONFIGURATION,
    fileName: 'fraises.yaml',
    appliedBy: 'ana',
  });
  for (const name of HOSTS) {
    await ledger.enrolAgent({
      name,
      labels: {},
      certificateSerial: '1',
      certificateExpiresAt: new Date(Date.now() + 1e9),
    });
    const lease = { leaseMs: 600_000, agentVersion: '0.1.0', bootId: 'b', instanceId: 'i', live: [] };
    await ledger.takeLease(name, { controllerId: 'c_1', ...lease });
  }
  await ledger.insertDeployment(newDeployment({ id: 'd_1' }));
}

/** Plays the deployment to its end. */
async function play(edges: Edges): Promise<void> {
  const agents = HOSTS.map((name) => new ScriptedAgent(edges, name, 1));
  for (let busy = true; busy;) {
    await advance(edges, 'd_1');
    busy = false;
    for (const agent of agents) busy = (await agent.work()) || busy;
  }
  await advance(edges, 'd_1');
  expect((await edges.ledger.deployment('d_1'))?.status).to.equal('succeeded');
}

function watch({ local }: CallersLab, after = 0) {
  return local.client.watch({ deploymentId: 'd_1', after }, local.metadata());
}

function numbersOf(events: readonly WatchEvent[]): number[] {
  return events.map(({ number }) => number);
}

describe('watching a deployment', () => {
  it('tells it live, in order, each event once, from the queue to its end', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      let begun = (): void => undefined;
      const isBegun = new Promise<void>((resolve) => (begun = resolve));
      const all = lab.local.collect(watch(lab), begun);
      await isBegun;
      await play(lab.edges);
      const events = await all;
      const [first, ...rest] = events;
      expect(first?.event?.$case === 'deployment' && first.event.value.status).to.equal('queued');
      const numbers = numbersOf(rest);
      expect(numbers).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b));
      const last = events.at(-1)?.event;
      expect(last?.$case === 'deployment' && last.value.status).to.equal('succeeded');
      expect(last?.$case === 'deployment' && last.value.hosts.map(({ host }) => host)).to.deep.equal(HOSTS);
      const told = rest.filter(({ event }) => event?.$case === 'host').length;
      expect(told).to.equal((await lab.edges.ledger.eventsOf('d_1', 0, 10_000)).length);
    }));

  it('is joined again from any number on', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      await play(lab.edges);
      const hosts = (events: WatchEvent[]) =>
        numbersOf(events.filter(({ event }) => event?.$case === 'host'));
      const all = hosts(await lab.local.collect(watch(lab)));
      for (const after of [all[0], all[7], all.at(-1)]) {
        const [first, ...rest] = await lab.local.collect(watch(lab, after));
        expect([first?.number, first?.event?.$case]).to.deep.equal([after, 'deployment']);
        expect(hosts(rest)).to.deep.equal(all.filter((number) => number > (after ?? 0)));
      }
    }));

  it('tells what a host reports after the end, behind the end (row 5)', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      await play(lab.edges);
      const run = (await lab.edges.ledger.runsOf('d_1')).at(-1);
      const late = { runId: run?.id ?? '', seq: (run?.lastSeq ?? 0) + 1, at: new Date() };
      const note = { step: 'prune', attempt: 1, code: 'waiting', message: 'late', facts: {} };
      const event = { ...late, event: { $case: 'stepNote' as const, value: note } };
      const stream = { agent: run?.host ?? '', epoch: 1 };
      await recordOne(lab.edges, stream, [{ $case: 'event', value: event }]);
      const kinds = (await lab.local.collect(watch(lab))).slice(-2).map((told) => told.event?.$case);
      expect(kinds).to.deep.equal(['deployment', 'host']);
    }));

  it('is refused for a deployment that is not there', () =>
    withCallers(async (lab) => {
      expect((await refused(lab.local.collect(watch(lab)))).code).to.equal('unknown_deployment');
    }));

  it('ends with shutting_down when the controller does', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      const { code } = await refused(lab.local.collect(watch(lab), () => lab.shutDown()));
      expect(code).to.equal('shutting_down');
      expect((await refused(lab.local.collect(watch(lab)))).code).to.equal('shutting_down');
    }));

  it('is given up when the caller goes', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      await lab.local.collect(watch(lab), (_event, call) => call.cancel()).catch(() => undefined);
      expect(lab.logged.join('')).not.to.contain('failed');
    }));
});

describe('the output of a deployment', () => {
  const logs = ({ local }: CallersLab, more: { host?: string; step?: string; follow?: boolean } = {}) =>
    local.collect(
      local.client.logs(
        { deploymentId: 'd_1', host: '', step: '', follow: false, ...more },
        local.metadata(),
      ),
      more.follow === true ? undefined : () => undefined,
    );

  async function print({ ledger }: Edges, host: string, text: string, offset = 0): Promise<void> {
    const run = (await ledger.runsOf('d_1')).find((one) => one.host === host);
    const data = Buffer.from(text);
    await ledger.transaction(async (tx) => {
      const chunk = { runId: run?.id ?? '', deploymentId: 'd_1', step: 'fetch', attempt: 1, offset, data };
      await appendLog(tx, { ...chunk, truncated: false });
      await tx.wake({ about: 'logs', deploymentId: 'd_1' });
    });
  }

  it('is told whole, of one host or of one step', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      await play(lab.edges);
      for (let chunk = 0; chunk < 250; chunk += 1) await print(lab.edges, 'web-1', 'x', chunk);
      await print(lab.edges, 'web-2', 'from web-2');
      const all = await logs(lab);
      expect(all.length).to.equal(251);
      const [one] = await logs(lab, { host: 'web-2' });
      expect(one).to.deep.include({ host: 'web-2', phase: 'prepare', step: 'fetch', attempt: 1, offset: 0 });
      expect(String(one?.data)).to.equal('from web-2');
      expect(await logs(lab, { step: 'restart' })).to.deep.equal([]);
    }));

  it('is followed until the deployment has ended, each byte once', () =>
    withCallers(async (lab) => {
      await queued(lab.edges);
      await advance(lab.edges, 'd_1');
      await print(lab.edges, 'web-1', 'before ');
      const { local } = lab;
      const request = { deploymentId: 'd_1', host: '', step: '', follow: true };
      const told: string[] = [];
      const call = local.client.logs(request, local.metadata());
      const done = local.collect(call, ({ data }) => void told.push(String(data)));
      await print(lab.edges, 'web-1', 'while', 7);
      await play(lab.edges);
      await done;
      expect(told.join('')).to.equal('before while');
    }));

  it('is refused for a deployment that is not there', () =>
    withCallers(async (lab) => {
      expect((await refused(logs(lab))).code).to.equal('unknown_deployment');
    }));
});
