import { expect } from 'chai';
import { dispatchRuns } from '../../../controller/deployments/dispatch-runs.js';
import { recordProgress, type ProgressMessage } from '../../../controller/deployments/record-progress.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { advance } from '../../../controller/deployments/advance.js';
import { applyConfiguration } from '../../../controller/deployments/apply-configuration.js';
import { configuredFor, currentConfiguration } from '../../../controller/deployments/configuration.js';
import { lockFraise } from '../../../controller/deployments/lock-fraise.js';
import { listFraises } from '../../../controller/deployments/list-fraises.js';
import { dispatchOne, recordOne } from '../../support/one-agent.js';
import { resumeRuns } from '../../../controller/deployments/resume-runs.js';
import { cancelDeployment, continueDeployment } from '../../../controller/deployments/steer-deployment.js';
import { summarize } from '../../../controller/deployments/summary.js';
import type { Actor } from '../../../controller/deployments/edges.js';
import type { ConfigurationRevision } from '../../../controller/deployments/ledger/configuration.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import type { Configuration } from '../../../controller/fraises/fraises.js';
import { reason } from '../../../controller/deployments/reason.js';
import { Hello, Outcome, type LogChunk, type RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import type { Script } from '../../support/scripted-agent.js';
import { refused } from '../../support/refused.js';
import { play, queue, team } from './play.js';
import { COMMIT, PREVIOUS } from '../../support/builders.js';

const ANA: Actor = { name: 'ana', role: 'admin' };

describe('a deployment, through the use cases', () => {
  it('goes from the queue to succeeded on every host, and the record agrees', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const agents = team(edges);
    await play(edges, id, agents);
    const summary = await summarize(edges, id);
    expect(summary?.deployment).to.include({ status: 'succeeded', oldVersion: PREVIOUS, newVersion: COMMIT });
    expect(summary?.hosts.map((host) => [host.phase, host.status, host.newVersion])).to.deep.equal([
      ['prune', 'succeeded', COMMIT],
      ['prune', 'succeeded', COMMIT],
    ]);
    const about = `checkout/production@${COMMIT}`;
    const told = edges.memory.state().outbox.map(({ topic, about: what, payload }) => [topic, what, payload]);
    expect(told).to.deep.equal([
      ['deployment_started', about, { deployment: id, status: 'running' }],
      ['deployment_ended', about, { deployment: id, status: 'succeeded' }],
    ]);
    expect(edges.memory.state().agents.map((agent) => agent.live.map((live) => live.release))).to.deep.equal([
      [COMMIT],
      [COMMIT],
    ]);
  });

  it('goes back everywhere when the second host fails its release', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const red: Script = (step, run) =>
      run.host === 'web-2' && run.phase === 'release' && step.name === 'health' ? 'failed' : 'succeeded';
    const agents = team(edges, red);
    await play(edges, id, agents);
    const deployment = await edges.ledger.deployment(id);
    expect(deployment?.status).to.equal('rolled_back');
    expect(deployment?.reason?.facts['host']).to.equal('web-2');
    expect(agents.map((agent) => agent.live)).to.deep.equal([PREVIOUS, PREVIOUS]);
  });

  it('does not start when the fraise was locked while that was considered', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const where = { fraise: 'checkout', environment: 'production' };
    const lock = () => lockFraise(edges, { ...where, reason: 'a sale', forMs: null }, ANA);
    expect(await advance(beforeTransactions(edges, lock), id)).to.equal(null);
    const held = await edges.ledger.deployment(id);
    expect([held?.status, held?.reason?.code]).to.deep.equal(['queued', 'locked']);
    await advance(
      beforeTransactions(edges, () => Promise.resolve()),
      id,
    );
    expect(await edges.ledger.deployment(id)).to.deep.equal(held);
  });

  it('is not explained any more when it left the queue while that was considered', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    edges.pass(4000);
    const leave = () => edges.ledger.moveDeployment(id, 'queued', 'superseded', { finished: true });
    await advance(beforeTransactions(edges, leave), id);
    expect(await edges.ledger.deployment(id)).to.include({ status: 'superseded', reason: null });
  });

  it('is the same however often it is advanced, whatever other agents there are', async () => {
    const edges = await memoryEdges();
    const never = { labels: {}, certificateSerial: '09', certificateExpiresAt: new Date(0) };
    await edges.ledger.enrolAgent({ name: 'never-connected', ...never });
    const { id } = await queue(edges);
    await Promise.all([advance(edges, id), advance(edges, id), advance(edges, id)]);
    expect(await edges.ledger.runsOf(id)).to.have.length(2);
  });

  it('does not decide for ever when nothing it decides takes effect', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const { ledger } = edges;
    const inert = (tx: MemoryEdges['ledger']) => ({
      ...bound(tx),
      insertRun: () => Promise.resolve({} as RunRow),
    });
    const stuck: MemoryEdges = {
      ...edges,
      ledger: { ...bound(ledger), transaction: (work) => ledger.transaction((tx) => work(inert(tx))) },
    };
    expect(await advance(stuck, id).catch(String)).to.contain('does not come to rest');
  });

  it('is left alone when it ended between a look and the lock', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const { ledger } = edges;
    const ended = (tx: MemoryEdges['ledger']) => ({
      ...bound(tx),
      holdDeployment: async () => ({
        ...((await tx.deployment(id)) as DeploymentRow),
        status: 'cancelled' as const,
      }),
    });
    const late: MemoryEdges = {
      ...edges,
      ledger: { ...bound(ledger), transaction: (work) => ledger.transaction((tx) => work(ended(tx))) },
    };
    expect(await advance(late, id)).to.equal(null);
    expect(await ledger.runsOf(id)).to.deep.equal([]);
  });

  it('has nothing live after a first release that failed', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const agents = team(edges, (step, run) =>
      run.phase === 'release' && step.name === 'health' ? 'failed' : 'succeeded',
    );
    for (const agent of agents) agent.live = '';
    await play(edges, id, agents);
    const deployment = await edges.ledger.deployment(id);
    expect([deployment?.status, deployment?.reason?.code, deployment?.oldVersion]).to.deep.equal([
      'failed',
      'no_previous_release',
      null,
    ]);
    expect(edges.memory.state().agents.map((agent) => agent.live)).to.deep.equal([[], []]);
  });

  it('is left alone when it has ended or does not exist', async () => {
    const edges = await memoryEdges();
    expect(await advance(edges, 'd_nothing')).to.equal(null);
    const { id } = await queue(edges);
    await cancelDeployment(edges, id, ANA);
    await advance(edges, id);
    expect((await edges.ledger.deployment(id))?.status).to.equal('cancelled');
    expect(await advance(edges, id)).to.equal(null);
  });

  it('waits in the queue with its reason, and starts when the one before it ends', async () => {
    const edges = await memoryEdges();
    const first = await queue(edges);
    const second = await queue(edges);
    await advance(edges, first.id);
    await advance(edges, second.id);
    await advance(edges, second.id);
    const waiting = await edges.ledger.deployment(second.id);
    expect([waiting?.status, waiting?.reason?.code, waiting?.changedNumber]).to.deep.equal([
      'queued',
      'deployment_running',
      1,
    ]);
    const woken: string[] = [];
    edges.waking.subscribe((topic) => topic.about === 'deployment' && woken.push(topic.id));
    await play(edges, first.id, team(edges));
    expect(woken).to.include(second.id);
    await advance(edges, second.id);
    expect((await edges.ledger.deployment(second.id))?.status).to.equal('running');
  });

  it('says until when it bakes', async () => {
    const edges = await memoryEdges(
      `${SAMPLE_CONFIGURATION.replace('health_check', 'rollout: { bake: 30s }\n        health_check')}`,
    );
    const { id } = await queue(edges);
    const agents = team(edges);
    const until = await play(edges, id, agents);
    expect(until).to.be.instanceOf(Date);
    edges.pass(31);
    await play(edges, id, agents);
    expect((await edges.ledger.deployment(id))?.status).to.equal('succeeded');
  });

  it('fails from the queue when its hosts do not exist', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges, { environment: 'staging' });
    await advance(edges, id);
    const ended = await edges.ledger.deployment(id);
    expect([ended?.status, ended?.reason?.code]).to.deep.equal(['failed', 'no_hosts']);
  });

  it('is cancelled on the hosts too, and undone', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const hang: Script = (step, run) =>
      run.phase === 'release' && step.name === 'restart' ? 'hangs' : 'succeeded';
    const agents = team(edges, hang);
    await play(edges, id, agents);
    await cancelDeployment(edges, id, ANA);
    await play(edges, id, agents);
    const ended = await edges.ledger.deployment(id);
    expect([ended?.status, ended?.reason?.message]).to.deep.equal(['rolled_back', 'cancelled by ana']);
  });

  it('is lost with its host and goes back on it when it returns', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    const hang: Script = (step, run) =>
      run.phase === 'release' && step.name === 'activate' ? 'hangs' : 'succeeded';
    await play(edges, id, team(edges, hang));
    edges.pass(4000);
    await advance(edges, id);
    expect(await refused(cancelDeployment(edges, id, ANA))).to.include({
      code: 'not_steerable',
      message: `cannot cancel ${id}: it is rolling_back`,
    });
    expect(
      (await edges.ledger.runsOf(id)).map((run) => `${run.phase} ${run.status}`).slice(-2),
    ).to.deep.equal(['release lost', 'undo pending']);
  });

  it('cannot be cancelled while its undo is paused: that is to be continued', async () => {
    const edges = await memoryEdges();
    const { id } = await queue(edges);
    await advance(edges, id);
    const steps = { steps: [], commit: COMMIT, attempt: 1 };
    const undo = { id: 'r_undo', deploymentId: id, host: 'web-1', phase: 'migrate_down' as const };
    await edges.ledger.insertRun({ ...undo, ...steps });
    await edges.ledger.moveDeployment(id, 'running', 'paused');
    expect(await refused(cancelDeployment(edges, id, ANA))).to.include({
      message: `cannot cancel ${id}: it is going back already`,
    });
  });

  it('asks again when a migration is unknown, whatever was asked before', async () => {
    const database =
      'database: { tool: command, up: [up], down: [down], status: [status] }\n        health_check';
    const edges = await memoryEdges(SAMPLE_CONFIGURATION.replace('health_check', database));
    const { id } = await queue(edges);
    let cancelled = false;
    const agents = team(edges, (step) => {
      if (step.name !== 'migrate') return 'succeeded';
      cancelled = true;
      return 'interrupted';
    });
    while (!cancelled) {
      await advance(edges, id);
      const runs = await edges.ledger.runsOf(id);
      if (runs.some((run) => run.phase === 'migrate')) await cancelDeployment(edges, id, ANA);
      for (const agent of agents) await agent.work();
    }
    await play(edges, id, agents);
    const paused = await edges.ledger.deployment(id);
    expect([paused?.status, paused?.reason?.code, paused?.cancelRequestedBy]).to.deep.equal([
      'paused',
      'outcome_unknown',
      null,
    ]);
  });

  it('continues after a pause with what ended badly', async () => {
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', 'rollout: { on_failure: pause }\n        health_check'),
    );
    const { id } = await queue(edges);
    let red = true;
    const agents = team(edges, (step, run) =>
      red && run.phase === 'release' && step.name === 'health' ? 'failed' : 'succeeded',
    );
    await play(edges, id, agents);
    expect((await edges.ledger.deployment(id))?.status).to.equal('paused');
    red = false;
    expect((await continueDeployment(edges, id, ANA)).status, 'as whoever asked sees it').to.equal('running');
    await play(edges, id, agents);
    expect((await edges.ledger.deployment(id))?.status).to.equal('succeeded');
    expect(await refused(continueDeployment(edges, id, ANA))).to.include({
      message: `cannot continue ${id}: it has ended: succeeded`,
    });
    expect(await refused(continueDeployment(edges, 'd_0', ANA))).to.include({ code: 'unknown_deployment' });
  });

  it('has its whole limit again when it is continued, also when nothing had failed', async () => {
    const rollout = 'rollout: { on_failure: pause, bake: 2m }\n        timeout: 1m\n        health_check';
    const edges = await memoryEdges(SAMPLE_CONFIGURATION.replace('health_check', rollout));
    const { id } = await queue(edges);
    const agents = team(edges);
    await play(edges, id, agents);
    edges.pass(60);
    await play(edges, id, agents);
    const paused = await edges.ledger.deployment(id);
    expect([paused?.status, paused?.reason?.code]).to.deep.equal(['paused', 'deployment_timed_out']);
    edges.pass(90);
    expect((await continueDeployment(edges, id, ANA)).status).to.equal('running');
    await play(edges, id, agents);
    expect((await edges.ledger.deployment(id))?.status).to.equal('succeeded');
  });
});

describe('the summary, read from the ledger', () => {
  it('reads every event, page after page, and knows no deployment that is not there', async () => {
    const { edges, run, epoch } = await dispatched();
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: started(run) }]);
    const notes = Array.from({ length: 1500 }, (_, index): RunEvent => {
      const value = { step: 'fetch', attempt: 1, code: 'x', message: '', facts: {} };
      return { runId: run.id, seq: index + 2, at: new Date(0), event: { $case: 'stepNote', value } };
    });
    await recordOne(
      edges,
      { agent: 'web-1', epoch },
      notes.map((value) => ({ $case: 'event', value })),
    );
    const start: RunEvent['event'] = {
      $case: 'stepStarted',
      value: { step: 'fetch', attempt: 3, bootId: '' },
    };
    const last: RunEvent = { runId: run.id, seq: 1502, at: new Date(0), event: start };
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: last }]);
    const summary = await summarize(edges, run.deploymentId);
    expect(summary?.hosts[0]?.steps.find((step) => step.name === 'fetch')?.attempts).to.equal(3);
    expect(await summarize(edges, 'd_0')).to.equal(null);
  });
});

describe('recording what an agent reports', () => {
  it('knows at the end of a run where a checkout comes from, and keeps that when a later one does not say', async () => {
    const edges = await memoryEdges();
    const agents = team(edges);
    for (const agent of agents) agent.origin = 'git@git.example.com:acme/checkout.git';
    await play(edges, (await queue(edges)).id, agents);
    const origins = () =>
      edges.memory.state().agents.flatMap((agent) => agent.live.map(({ origin }) => origin));
    expect(new Set(origins())).to.deep.equal(new Set(['git@git.example.com:acme/checkout.git']));
    for (const agent of agents) agent.origin = '';
    await play(edges, (await queue(edges)).id, agents);
    expect(new Set(origins())).to.deep.equal(new Set(['git@git.example.com:acme/checkout.git']));
  });

  it('wakes those who decide at the end of a run only, and those who watch at every event', async () => {
    const { edges, run, epoch } = await dispatched();
    const heard: string[] = [];
    edges.waking.subscribe(({ about }) => heard.push(about));
    const finish = { outcome: Outcome.SUCCEEDED, reason: undefined, liveRelease: '', origin: '' };
    const log = { $case: 'log' as const, value: chunk(run, 'fetch', 0, 'hello') };
    const note = { step: 'fetch', attempt: 1, code: 'late', message: '', facts: {} };
    const happenings: RunEvent['event'][] = [
      started(run).event,
      { $case: 'runFinished', value: finish },
      { $case: 'stepNote', value: note },
    ];
    const told = happenings.map((event, at) => ({ runId: run.id, seq: at + 1, at: new Date(0), event }));
    for (const messages of [[log], ...told.map((value) => [{ $case: 'event' as const, value }])])
      await recordOne(edges, { agent: 'web-1', epoch }, messages);
    expect(heard).to.deep.equal(['logs', 'events', 'deployment', 'events']);
  });

  it('acknowledges a repeated event again and records it once', async () => {
    const { edges, run, epoch } = await dispatched();
    const event = started(run);
    const lease = { agent: 'web-1', epoch };
    const messages = [{ $case: 'event' as const, value: event }];
    expect((await recordOne(edges, lease, messages)).acks).to.deep.equal([{ runId: run.id, seq: 1 }]);
    expect((await recordOne(edges, lease, messages)).acks).to.deep.equal([{ runId: run.id, seq: 1 }]);
    expect(edges.memory.state().events).to.have.length(1);
  });

  it('refuses other content, a gap, an illegal move, another host’s run and an unknown one (row 5)', async () => {
    const { edges, run, epoch } = await dispatched();
    const send = (event: RunEvent, agent = 'web-1') =>
      refused(recordOne(edges, { agent, epoch }, [{ $case: 'event', value: event }]));
    expect((await send({ ...started(run), seq: 2 }))?.message).to.contain('but 0 is the last one known');
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: started(run) }]);
    expect((await send({ ...started(run), at: new Date(1) }))?.message).to.contain('with other content');
    expect((await send({ ...started(run), seq: 2 }))?.message).to.contain('reports the start of');
    expect((await send({ ...started(run), seq: 2 }, 'web-2'))?.message).to.contain('not its own');
    expect((await send({ ...started(run), runId: 'r_0' }))?.code).to.equal('protocol_violation');
    expect(edges.memory.state().events).to.have.length(1);
  });

  it('refuses a stream that was replaced', async () => {
    const { edges, run, epoch } = await dispatched();
    const stale = { agent: 'web-1', epoch: epoch - 1 };
    expect(
      (await refused(recordOne(edges, stale, [{ $case: 'event', value: started(run) }])))?.code,
    ).to.equal('agent_replaced');
    expect(await dispatchRuns(edges, [stale])).to.deep.equal([null]);
  });

  it('of several agents is one transaction, in which each speaks for its own newest stream alone', async () => {
    const { edges, run, epoch } = await dispatched();
    await dispatchOne(edges, 'web-2', 1);
    const other = (await edges.ledger.openRunsOnHost('web-2'))[0] as RunRow;
    let transactions = 0;
    const { ledger } = edges;
    const counted = {
      ledger: {
        ...bound(ledger),
        transaction: <T>(work: Parameters<typeof ledger.transaction<T>>[0]) => {
          transactions += 1;
          return ledger.transaction(work);
        },
      },
    };
    const one = { agent: 'web-1', epoch, messages: [{ $case: 'event' as const, value: started(run) }] };
    const two = { agent: 'web-2', epoch: 1, messages: [{ $case: 'event' as const, value: started(other) }] };
    for (const wrong of [
      { ...two, epoch: 0 },
      { ...one, agent: 'web-2', epoch: 1 },
    ])
      expect(await refused(recordProgress(counted, [one, wrong]))).not.to.equal(null);
    const replaced = { ...one, epoch: epoch - 1 };
    expect((await refused(recordProgress(counted, [one, replaced])))?.code).to.equal('agent_replaced');
    expect(edges.memory.state().events).to.deep.equal([]);
    transactions = 0;
    const acknowledged = await recordProgress(counted, [one, two]);
    expect(acknowledged.map(({ acks }) => acks)).to.deep.equal([
      [{ runId: run.id, seq: 1 }],
      [{ runId: other.id, seq: 1 }],
    ]);
    expect([transactions, edges.memory.state().events.length]).to.deep.equal([1, 2]);
  });

  it('joins small pieces of output, keeps the order of steps, and stores no more than 64 kB as one', async () => {
    const { edges, run, epoch } = await dispatched();
    const log = (step: string, offset: number, data: string, truncated = false): ProgressMessage => ({
      $case: 'log',
      value: { ...chunk(run, step, offset, data), truncated },
    });
    const large = 'x'.repeat(64 * 1024 - 2);
    const { logAcks } = await recordOne(edges, { agent: 'web-1', epoch }, [
      log('fetch', 0, 'a'),
      log('fetch', 1, 'b'),
      log('fetch', 2, large),
      log('fetch', 2 + large.length, 'c'),
      log('stage', 0, 'd'),
      log('fetch', 1, 'b'),
      log('stage', 1, 'e', true),
      log('stage', 2, 'never'),
    ]);
    const stored = edges.memory.state().logs.map(({ step, offset, data }) => [step, offset, data.length]);
    expect(stored).to.deep.equal([
      ['fetch', 0, 64 * 1024],
      ['fetch', 64 * 1024, 1],
      ['stage', 0, 1],
      ['stage', 1, 1],
    ]);
    expect(logAcks.map(({ step, offset }) => [step, offset])).to.deep.equal([
      ['fetch', 64 * 1024 + 1],
      ['stage', 2],
    ]);
  });

  it('keeps output by offset, skipping what it has and refusing a gap', async () => {
    const { edges, run, epoch } = await dispatched();
    const send = (offset: number, text: string, step = 'fetch') =>
      recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'log', value: chunk(run, step, offset, text) }]);
    expect((await send(0, 'hello ')).logAcks[0]?.offset).to.equal(6);
    expect((await send(3, 'lo world')).logAcks[0]?.offset).to.equal(11);
    expect((await refused(send(20, 'x')))?.message).to.contain('only 11 bytes are known');
    expect((await refused(send(0, 'x', 'nonsense')))?.message).to.contain('which');
    expect(Buffer.concat(edges.memory.state().logs.map((row) => row.data)).toString()).to.equal(
      'hello world',
    );
  });

  it('records what comes after a run was given up, and changes nothing else', async () => {
    const { edges, run, epoch } = await dispatched();
    await edges.ledger.moveRun(run.id, 'dispatched', 'lost', { reason: reason('host_lost', 'gone') });
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: started(run) }]);
    const after = await edges.ledger.run(run.id);
    expect([after?.status, after?.lastSeq]).to.deep.equal(['lost', 1]);
  });

  it('notices a run that moves while it is held', async () => {
    const { edges, run, epoch } = await dispatched();
    const ledger = edges.ledger;
    const stuck: MemoryEdges = {
      ...edges,
      ledger: {
        ...bound(ledger),
        transaction: (work) =>
          ledger.transaction((tx) =>
            work({
              ...bound(tx),
              writeReported: (told) =>
                tx.writeReported({ ...told, runs: told.runs.map((one) => ({ ...one, from: 'lost' })) }),
            }),
          ),
      },
    };
    const message = { $case: 'event' as const, value: started(run) };
    const failure = await recordOne(stuck, { agent: 'web-1', epoch }, [message]).catch(
      (error: unknown) => error,
    );
    expect(String(failure)).to.contain('moved while it was held');
  });
});

describe('an agent that comes back', () => {
  it('is told where each run goes on, and which are over', async () => {
    const { edges, run, epoch } = await dispatched();
    await recordOne(edges, { agent: 'web-1', epoch }, [
      { $case: 'event', value: started(run) },
      { $case: 'log', value: chunk(run, 'fetch', 0, 'abc') },
    ]);
    const other = (await edges.ledger.openRunsOnHost('web-2'))[0];
    const hello = Hello.fromPartial({
      runs: [run.id, 'r_0', other?.id ?? ''].map((runId) => ({ runId, lastSeq: 9 })),
    });
    expect(await resumeRuns(edges, { agent: 'web-1', epoch }, hello)).to.deep.equal([
      { runId: run.id, seq: 1, logs: [{ step: 'fetch', attempt: 1, offset: 3 }], abandoned: false },
      { runId: 'r_0', seq: 0, logs: [], abandoned: true },
      { runId: other?.id, seq: 0, logs: [], abandoned: true },
    ]);
  });

  it('without a run it had begun leaves that run interrupted', async () => {
    const { edges, run, epoch } = await dispatched();
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: started(run) }]);
    await resumeRuns(edges, { agent: 'web-1', epoch }, Hello.fromPartial({}));
    const after = await edges.ledger.run(run.id);
    expect([after?.status, after?.reason?.code]).to.deep.equal(['interrupted', 'agent_forgot_run']);
  });

  it('is told to begin and to stop what was cancelled on the way, so that it can say how that ended', async () => {
    const { edges, run, epoch } = await dispatched();
    await cancelDeployment(edges, run.deploymentId, ANA);
    await advance(edges, run.deploymentId);
    const { assignments, cancels } = await dispatchOne(edges, 'web-1', epoch);
    expect(assignments.map((one) => one.runId)).to.deep.equal([run.id]);
    expect(cancels.map((one) => [one.runId, one.reason?.code])).to.deep.equal([[run.id, 'cancelled']]);
  });

  it('has the whole time to say that it stopped what it had not begun, counted from its return', async () => {
    const { edges, run, epoch } = await dispatched();
    await cancelDeployment(edges, run.deploymentId, ANA);
    await advance(edges, run.deploymentId);
    edges.pass(59);
    await resumeRuns(
      edges,
      { agent: 'web-1', epoch },
      Hello.fromPartial({ runs: [{ runId: run.id, lastSeq: 0 }] }),
    );
    edges.pass(59);
    await advance(edges, run.deploymentId);
    expect((await edges.ledger.run(run.id))?.status).to.equal('dispatched');
    edges.pass(2);
    await advance(edges, run.deploymentId);
    expect((await edges.ledger.run(run.id))?.status).to.equal('lost');
    expect((await edges.ledger.deployment(run.deploymentId))?.status).to.equal('cancelled');
  });

  it('has no say any more once a newer connection took over: what it did not know is not lost', async () => {
    const { edges, run, epoch } = await dispatched();
    await recordOne(edges, { agent: 'web-1', epoch }, [{ $case: 'event', value: started(run) }]);
    const late = resumeRuns(edges, { agent: 'web-1', epoch: epoch - 1 }, Hello.fromPartial({}));
    expect(await refused(late)).to.include({ code: 'agent_replaced' });
    expect((await edges.ledger.run(run.id))?.status).to.equal('running');
  });

  it('without a run that was cancelled before it arrived leaves that run cancelled', async () => {
    const { edges, run, epoch } = await dispatched();
    await cancelDeployment(edges, run.deploymentId, ANA);
    await advance(edges, run.deploymentId);
    await resumeRuns(edges, { agent: 'web-1', epoch }, Hello.fromPartial({}));
    const after = await edges.ledger.run(run.id);
    expect([after?.status, after?.reason?.code]).to.deep.equal(['cancelled', 'cancelled']);
  });

  it('is told again what it has not begun', async () => {
    const { edges, run, epoch } = await dispatched();
    await resumeRuns(edges, { agent: 'web-1', epoch }, Hello.fromPartial({}));
    const { assignments } = await dispatchOne(edges, 'web-1', epoch);
    expect(assignments.map((assignment) => assignment.runId)).to.deep.equal([run.id]);
    expect(assignments[0]?.steps.map((step) => step.name)).to.include('preflight');
  });
});

describe('the configuration', () => {
  it('is applied once, shows differences, and dry runs write nothing', async () => {
    const edges = await memoryEdges('');
    expect((await refused(currentConfiguration(edges.ledger)))?.code).to.equal('no_configuration');
    const apply = (text: string, dryRun = false) =>
      applyConfiguration(edges, { text, fileName: 'fraises.yaml', dryRun }, ANA);
    expect(await apply(SAMPLE_CONFIGURATION, true)).to.include({ revision: 0, changed: true });
    expect(edges.memory.state().configurations).to.have.length(0);
    expect(await apply(SAMPLE_CONFIGURATION)).to.include({ revision: 1, changed: true });
    expect(await apply(SAMPLE_CONFIGURATION)).to.include({ revision: 1, changed: false });
    const changed = await apply(SAMPLE_CONFIGURATION.replace('branch: main', 'branch: release'));
    expect([changed.revision, changed.differences.join()]).to.satisfy(
      ([n, text]: [number, string]) => n === 2 && text.includes('release'),
    );
    expect((await refused(apply('fraises: 7')))?.code).to.equal('invalid_configuration');
    expect((await currentConfiguration(edges.ledger)).revision).to.equal(2);
  });

  it('under which one was queued ends it when this controller cannot read it, so that the next one starts', async () => {
    const edges = await memoryEdges();
    const newer = {
      text: 'fraises: { checkout: { type: quantum } }',
      fileName: 'fraises.yaml',
      appliedBy: 'ana',
    };
    const { revision } = await edges.ledger.insertConfiguration(newer);
    const unreadable = await queue(edges, { configRevision: revision });
    const unwanted = await queue(edges, { configRevision: revision });
    const missing = await queue(edges, { configRevision: 9 });
    const removed = await queue(edges, { environment: 'nowhere' });
    const next = await queue(edges);
    await cancelDeployment(edges, unwanted.id, ANA);
    for (const { id } of [unreadable, unwanted, missing, removed, next]) await advance(edges, id);
    const rows = edges.memory.state().deployments.map(({ status, reason: why }) => [status, why?.code]);
    expect(rows).to.deep.equal([
      ['failed', 'invalid_configuration'],
      ['cancelled', 'cancelled'],
      ['failed', 'no_configuration'],
      ['failed', 'unknown_environment'],
      ['running', undefined],
    ]);
    const why = edges.memory.state().deployments[0]?.reason;
    expect(why?.message).to.match(/^this controller does not understand configuration 2, .*fraises.yaml:1:/);
    expect(why?.hint).to.equal('fraisier apply FILE, and deploy again');
  });

  it('is not taken for unreadable when the ledger cannot be asked, or when reading it breaks', async () => {
    const edges = await memoryEdges();
    const deployment = await queue(edges);
    const away = { configurationRevision: () => Promise.reject(new FraisierError('database_away', 'away')) };
    expect(await refused(configuredFor(away, deployment))).to.include({ code: 'database_away' });
    const torn = { configurationRevision: () => Promise.resolve({ revision: 1 } as ConfigurationRevision) };
    expect(await configuredFor(torn, deployment).catch(String)).to.contain('TypeError');
  });

  it('is parsed once for edges that keep what was parsed', async () => {
    const edges = { ...(await memoryEdges()), parsed: new Map<number, Configuration>() };
    const deployment = await queue(edges);
    const first = await configuredFor(edges.ledger, deployment, edges.parsed);
    expect(first).to.deep.equal(await configuredFor(edges.ledger, deployment));
    const again = await currentConfiguration(edges.ledger, edges.parsed);
    expect('configuration' in first && again.configuration === first.configuration).to.equal(true);
  });

  it('lists its fraises with hosts, what is live, and why there are no hosts', async () => {
    const edges = await memoryEdges(SAMPLE_CONFIGURATION.replace('branch: develop', 'tags: "v*"'));
    const { id } = await queue(edges);
    await play(edges, id, team(edges));
    const [checkout] = await listFraises(edges);
    expect(
      checkout?.environments.map(({ name, hosts, liveVersion, problem }) => [
        name,
        hosts,
        liveVersion,
        problem !== '',
      ]),
    ).to.deep.equal([
      ['production', ['web-1', 'web-2'], COMMIT, false],
      ['staging', [], '', true],
    ]);
    for (const [written, shown] of [
      ['branch: "release/*"', 'release/*'],
      ['tags: "v*"', ''],
      ['branch: next', 'next'],
    ] as const) {
      const [one] = await listFraises(
        await memoryEdges(SAMPLE_CONFIGURATION.replace('branch: develop', written)),
      );
      expect(one?.environments.map(({ branch }) => branch)).to.deep.equal(['main', shown]);
    }
  });
});

/** The same edges; `act` comes first whenever a transaction begins. */
function beforeTransactions(edges: MemoryEdges, act: () => Promise<unknown>): MemoryEdges {
  const transaction: MemoryEdges['ledger']['transaction'] = async (work) => {
    await act();
    return edges.ledger.transaction(work);
  };
  const ledger = new Proxy(edges.ledger, {
    get: (target, name: keyof MemoryEdges['ledger']) => (name === 'transaction' ? transaction : target[name]),
  });
  return { ...edges, ledger };
}

async function dispatched(): Promise<{ edges: MemoryEdges; run: RunRow; epoch: number }> {
  const edges = await memoryEdges();
  const { id } = await queue(edges);
  await advance(edges, id);
  await dispatchOne(edges, 'web-1', 1);
  const [run] = await edges.ledger.openRunsOnHost('web-1');
  if (run === undefined) throw new Error('nothing was dispatched');
  return { edges, run, epoch: 1 };
}

function started(run: RunRow): RunEvent {
  return { runId: run.id, seq: 1, at: new Date(0), event: { $case: 'runStarted', value: { bootId: 'b' } } };
}

function chunk(run: RunRow, step: string, offset: number, text: string): LogChunk {
  return { runId: run.id, step, attempt: 1, offset, data: Buffer.from(text), truncated: false };
}

/** The port as an object of its own functions, so that one of them can be replaced. */
function bound(ledger: MemoryEdges['ledger']): MemoryEdges['ledger'] {
  return new Proxy({} as MemoryEdges['ledger'], {
    get: (_, name: keyof MemoryEdges['ledger']) => ledger[name],
    ownKeys: () => LEDGER_FUNCTIONS,
    getOwnPropertyDescriptor: (_, name) => ({
      value: ledger[name as keyof MemoryEdges['ledger']],
      enumerable: true,
      configurable: true,
    }),
  });
}

const LEDGER_FUNCTIONS = (
  'run holdReported runsOf insertRun moveRun writeReported knowsEvent appendLogs now wake agent agents setLive holdLease ' +
  'deployment holdFraise holdDeployment moveDeployment unfinishedDeployments configurationRevision lockOn outbox'
).split(' ');
