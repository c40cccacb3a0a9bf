import { expect } from 'chai';
import { advance } from '../../../controller/deployments/advance.js';
import type { Actor } from '../../../controller/deployments/edges.js';
import type { AgentRow } from '../../../controller/deployments/ledger/agent.js';
import type { DeploymentRow, NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import { lockFraise, unlockFraise } from '../../../controller/deployments/lock-fraise.js';
import { previewDeployment } from '../../../controller/deployments/preview-deployment.js';
import { previewRollback } from '../../../controller/deployments/preview-rollback.js';
import { requestDeployment } from '../../../controller/deployments/request-deployment.js';
import { requestRollback } from '../../../controller/deployments/request-rollback.js';
import type { RollbackRequest } from '../../../controller/deployments/resolve-rollback.js';
import { cancelDeployment } from '../../../controller/deployments/steer-deployment.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { Answer, HostPreview, Inspection, Question } from '../../../proto/gen/fraisier/v1/agent.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { ScriptedAgent } from '../../support/scripted-agent.js';
import { newDeployment } from '../db/samples.js';

const ANA: Actor = { name: 'ana', role: 'deployer' };
const BO: Actor = { name: 'bo', role: 'deployer' };
const [A, B] = ['a'.repeat(40), 'b'.repeat(40)] as [string, string];
const WHERE = { fraise: 'checkout', environment: 'production' };
const FREEZE = { ...WHERE, reason: ' a sale ', forMs: null };

describe('a lock', () => {
  it('has an owner, a reason and an end, and is on record', async () => {
    const edges = await memoryEdges();
    const lock = await lockFraise(edges, { ...FREEZE, forMs: 7_200_000 }, ANA);
    expect(lock).to.include({ owner: 'ana', reason: 'a sale' });
    expect(Number(lock.expiresAt) - Number(lock.lockedAt)).to.equal(7_200_000);
    expect(edges.memory.state().audit.map(({ action }) => action)).to.deep.equal(['fraise_locked']);
    const unlocked = await unlockFraise(edges, WHERE, BO);
    expect(unlocked.id).to.equal(lock.id);
    expect(edges.memory.state().audit.at(-1)).to.deep.include({ actor: 'bo', action: 'fraise_unlocked' });
  });

  it('is refused for what there is not, without a reason, for more than a year, on a lock, and where there is none', async () => {
    const edges = await memoryEdges();
    const code = async (work: Promise<unknown>) => (await refused(work)).code;
    expect(await code(lockFraise(edges, { ...FREEZE, fraise: 'nope' }, ANA))).to.equal('unknown_fraise');
    expect(await code(lockFraise(edges, { ...FREEZE, reason: '  ' }, ANA))).to.equal('usage');
    expect(await code(lockFraise(edges, { ...FREEZE, forMs: 1e12 }, ANA))).to.equal('usage');
    expect(await code(unlockFraise(edges, WHERE, ANA))).to.equal('unknown_lock');
    await lockFraise(edges, FREEZE, ANA);
    const why = await refused(lockFraise(edges, FREEZE, BO));
    expect([why.code, why.hint, why.facts['owner']]).to.deep.equal([
      'locked',
      'fraisier unlock checkout production',
      'ana',
    ]);
  });

  it('refuses what is asked for, with nothing written', async () => {
    const edges = await answering({ release: A });
    await lockFraise(edges, { ...FREEZE, forMs: 60_000 }, ANA);
    const why = await refused(requestDeployment(edges, wantedDeployment(), BO));
    expect(why.code).to.equal('locked');
    expect(why.message).to.match(/^checkout production is locked by ana until 2026-.*: a sale$/);
    expect(edges.memory.state().deployments).to.have.length(0);
  });

  it('refuses also what was asked for before it was placed, and not yet written', async () => {
    const edges = await answering({ release: A }, () =>
      lockFraise(edges, FREEZE, ANA).then(
        () => undefined,
        () => undefined,
      ),
    );
    expect((await refused(requestDeployment(edges, wantedDeployment(), BO))).code).to.equal('locked');
  });

  it('makes what is queued wait with the reason until its end, and wakes it when it is lifted', async () => {
    const edges = await memoryEdges();
    const { id } = await edges.ledger.insertDeployment(aRow(B));
    const lock = await lockFraise(edges, { ...FREEZE, forMs: 60_000 }, ANA);
    expect(await advance(edges, id)).to.deep.equal(lock.expiresAt);
    expect((await edges.ledger.deployment(id))?.reason?.code).to.equal('locked');
    const woken: string[] = [];
    edges.waking.subscribe((topic) => void (topic.about === 'deployment' && woken.push(topic.id)));
    await unlockFraise(edges, WHERE, BO);
    await Promise.resolve();
    expect(woken).to.deep.equal([id]);
    await advance(edges, id);
    expect((await edges.ledger.deployment(id))?.status).to.equal('running');
  });

  it('ends by itself', async () => {
    const edges = await memoryEdges();
    const { id } = await edges.ledger.insertDeployment(aRow(B));
    await lockFraise(edges, { ...FREEZE, forMs: 60_000 }, ANA);
    edges.pass(61);
    expect(await advance(edges, id)).to.equal(null);
    expect((await edges.ledger.deployment(id))?.status).to.equal('running');
  });
});

describe('a request id', () => {
  it('is that of who chose it: nobody else is told what it made', async () => {
    const edges = await answering({ release: A });
    const request = { ...wantedDeployment(), requestId: 'once' };
    await requestDeployment(edges, request, ANA);
    expect((await refused(requestDeployment(edges, request, BO))).code).to.equal('not_allowed');
    expect((await refused(requestRollback(edges, wanted({ requestId: 'once' }), BO))).code).to.equal(
      'not_allowed',
    );
  });
});

describe('requesting a rollback', () => {
  it('queues one to the last good release, ahead of the queue and past locks, and leaves a lock', async () => {
    const edges = await answering({ release: B });
    await went(edges, A);
    await went(edges, B);
    const waiting = await edges.ledger.insertDeployment(aRow('c'.repeat(40)));
    const made = await requestRollback(edges, wanted({ requestId: 'r' }), ANA);
    expect(made).to.include({ kind: 'rollback', status: 'queued', commit: A, requestedBy: 'ana' });
    expect(made.originId).to.equal(edges.memory.state().deployments[0]?.id);
    expect(made.rollback).to.deep.include({ from: B, applied: [], codeOnly: false });
    expect((await requestRollback(edges, wanted({ requestId: 'r' }), ANA)).id).to.equal(made.id);
    const lock = await edges.ledger.lockOn('checkout', 'production');
    expect([lock?.owner, lock?.reason]).to.deep.equal([
      'ana',
      `rolled back from bbbbbbbbbbbb to aaaaaaaaaaaa (${made.id})`,
    ]);
    await advance(edges, waiting.id);
    expect((await edges.ledger.deployment(waiting.id))?.reason?.code).to.equal('locked');
    const done = await play(edges, made.id);
    expect([done.status, done.newVersion]).to.deep.equal(['succeeded', A]);
    expect((await edges.ledger.lastSucceeded('checkout', 'production'))?.id).to.equal(made.id);
  });

  it('keeps the lock that is there, and gives back what is under way when it is asked for again', async () => {
    const edges = await answering({ release: B });
    await went(edges, A);
    await went(edges, B);
    const lock = await lockFraise(edges, FREEZE, BO);
    const made = await requestRollback(edges, wanted(), ANA);
    expect(await edges.ledger.lockOn('checkout', 'production')).to.deep.equal(lock);
    expect((await requestRollback(edges, wanted(), BO)).id).to.equal(made.id);
    expect((await requestRollback(edges, wanted({ to: A.slice(0, 9) }), BO)).id).to.equal(made.id);
    expect((await refused(requestRollback(edges, wanted({ to: B }), BO))).code).to.equal(
      'deployment_running',
    );
    await advance(edges, made.id);
    expect((await requestRollback(edges, wanted(), BO)).id).to.equal(made.id);
  });

  it('undoes a running deployment, locks, and is as good as once', async () => {
    const edges = await answering({ release: A });
    const { id } = await edges.ledger.insertDeployment(aRow(B));
    await advance(edges, id);
    const undone = await requestRollback(edges, wanted(), ANA);
    expect([undone.id, undone.cancelRequestedBy]).to.deep.equal([id, 'ana']);
    expect((await edges.ledger.lockOn('checkout', 'production'))?.reason).to.equal(`${id} was rolled back`);
    expect((await refused(requestRollback(edges, wanted({ to: A }), ANA))).hint).to.contain('without --to');
  });

  it('leaves alone what is going back already', async () => {
    const edges = await answering({ release: A });
    const { id } = await edges.ledger.insertDeployment(aRow(B));
    await advance(edges, id);
    await edges.ledger.moveDeployment(id, 'running', 'rolling_back', {});
    expect((await requestRollback(edges, wanted(), ANA)).status).to.equal('rolling_back');
  });

  it('is refused, with nothing written, when there is nothing to go back to or a host cannot be asked', async () => {
    const edges = await answering({ release: A });
    await went(edges, A);
    expect((await refused(requestRollback(edges, wanted(), ANA))).code).to.equal('no_rollback_target');
    expect((await refused(requestRollback(edges, wanted({ environment: 'staging' }), ANA))).code).to.equal(
      'no_hosts',
    );
    const silent = await answering(null);
    expect((await refused(requestRollback(silent, wanted(), ANA))).code).to.equal('no_answer');
    edges.pass(4000);
    expect((await refused(requestRollback(edges, wanted(), ANA))).code).to.equal('agent_away');
    expect(edges.memory.state().locks).to.have.length(0);
    expect(edges.memory.state().deployments).to.have.length(1);
  });

  it('is refused when something ended or began while the hosts were asked', async () => {
    const cases: ((edges: MemoryEdges) => Promise<unknown>)[] = [
      (edges) => went(edges, B),
      async ({ ledger }) => {
        const { id } = await ledger.insertDeployment(aRow(A));
        await ledger.moveDeployment(id, 'queued', 'running', { started: true });
      },
    ];
    for (const meanwhile of cases) {
      const edges = await answering({ release: B });
      await went(edges, A);
      await went(edges, B);
      let happened = false;
      const runsOf = async (id: string) => {
        if (!happened) {
          happened = true;
          await meanwhile(edges);
        }
        return edges.ledger.runsOf(id);
      };
      const late = { ...edges, ledger: { ...edges.ledger, runsOf } };
      const why = await refused(requestRollback(late, wanted(), ANA));
      expect([why.code, why.message]).to.satisfy(
        ([code, message]: [string, string]) =>
          code === 'deployment_running' && /d_row_\d+ came in between/.test(message),
      );
    }
  });

  it('goes to a release that only the hosts remember', async () => {
    const kept = [{ commit: A, provenGood: true, activatedAt: new Date(0) }];
    const edges = await answering({ release: B, kept });
    const made = await requestRollback(edges, wanted(), ANA);
    expect([made.commit, made.originId, made.ref]).to.deep.equal([A, null, '']);
    expect(edges.memory.state().audit.at(-1)).to.deep.include({ action: 'rollback_requested' });
  });

  it('names the flag that leaves out a host that is away, unless none would be left', async () => {
    const edges = await answering({ release: B });
    await went(edges, A);
    await went(edges, B);
    await away(edges, 'web-2');
    const why = await refused(requestRollback(edges, wanted(), ANA));
    expect([why.code, why.hint]).to.deep.equal([
      'agent_away',
      'systemctl status fraisier-agent (on web-2) or fraisier rollback checkout production --skip-unreachable (leaves it as it is)',
    ]);
    await away(edges, 'web-1');
    expect((await refused(requestRollback(edges, wanted(), ANA))).hint).not.to.contain('--skip-unreachable');
    const skipping = wanted({ skipUnreachable: true });
    expect((await refused(requestRollback(edges, skipping, ANA))).code).to.equal('agent_away');
    expect(edges.memory.state().deployments).to.have.length(2);
  });

  it('leaves out the hosts that do not answer when told to, says so, and brings them back when they do', async () => {
    const live: Record<string, string> = { 'web-1': B, 'web-2': B };
    const edges = await answering((host) => ({ release: live[host] ?? '' }));
    await went(edges, A);
    await went(edges, B);
    const back = await away(edges, 'web-2');
    const request = wanted({ skipUnreachable: true });
    const shown = await previewRollback(edges, request);
    expect(shown.hosts.map(({ host }) => host)).to.deep.equal(['web-1']);
    expect(shown.warnings).to.include('web-2 does not answer: it is left as it is');
    const made = await requestRollback(edges, request, ANA);
    expect([made.commit, made.onlyHosts, made.rollback?.skipped]).to.deep.equal([A, ['web-1'], ['web-2']]);
    expect(edges.memory.state().audit.at(-1)?.facts).to.include({ skipped: 'web-2' });
    const done = await play(edges, made.id, ['web-1']);
    expect([done.status, done.reason?.code]).to.deep.equal(['succeeded', 'agent_away']);
    expect(done.reason?.message).to.equal(
      'back on web-1; left as they were, because they did not answer: web-2',
    );
    expect(done.reason?.hint).to.contain(`fraisier rollback checkout production --to ${A.slice(0, 12)}`);
    live['web-1'] = A;
    await back();
    const rest = await requestRollback(edges, wanted(), ANA);
    expect([rest.commit, rest.onlyHosts, rest.rollback?.skipped]).to.deep.equal([A, [], []]);
  });

  it('takes a host that is here and does not answer for one that is away, and nothing else', async () => {
    const edges = await answering((host) => (host === 'web-2' ? null : { release: B }));
    await went(edges, A);
    await went(edges, B);
    expect((await refused(requestRollback(edges, wanted(), ANA))).code).to.equal('no_answer');
    const skipping = wanted({ skipUnreachable: true });
    const broken = {
      ...edges,
      newId: () => {
        throw new FraisierError('internal', 'no id');
      },
    };
    expect((await refused(requestRollback(broken, skipping, ANA))).code).to.equal('internal');
    expect((await requestRollback(edges, skipping, ANA)).onlyHosts).to.deep.equal(['web-1']);
  });

  it('can be cancelled while the database goes down, unlike an undo', async () => {
    const edges = await answering({ release: B });
    await went(edges, A);
    await went(edges, B);
    const { id } = await requestRollback(edges, wanted(), ANA);
    await advance(edges, id);
    const run = {
      deploymentId: id,
      host: 'web-1',
      phase: 'migrate_down' as const,
      attempt: 1,
      steps: [],
      commit: A,
    };
    await edges.ledger.insertRun({ id: 'r_down', ...run });
    expect((await cancelDeployment(edges, id, ANA)).cancelRequestedBy).to.equal('ana');
  });
});

describe('previewing a deployment that migrates', () => {
  it('tells each host whose migrations they are', async () => {
    const tools: string[] = [];
    const database = 'database: { tool: command, up: [up], down: [down], status: [status] }';
    const text = SAMPLE_CONFIGURATION.replace(
      'systemd_service: checkout.service',
      `systemd_service: checkout.service\n        ${database}`,
    );
    const edges = await answering({ release: A }, undefined, text, ({ question }) => {
      if (question?.$case === 'preview') tools.push(question.value.migrationTool);
    });
    await previewDeployment(edges, wantedDeployment());
    expect(tools).to.deep.equal(['command', 'command']);
  });
});

describe('previewing a rollback', () => {
  it('shows the plan from the hosts, and writes nothing', async () => {
    const edges = await answering({ release: B });
    await went(edges, A);
    await went(edges, B);
    const shown = await previewRollback(edges, wanted());
    expect(shown).to.deep.include({ kind: 'rollback', commit: A, undoes: '' });
    expect(shown.rollback?.from).to.equal(B);
    expect(shown.hosts.map(({ host, preview }) => [host, preview?.alreadyStaged])).to.deep.equal([
      ['web-1', true],
      ['web-2', true],
    ]);
    expect(shown.hosts[0]?.steps).to.include('release: activate').and.not.include('migrate: migrate');
    expect([edges.memory.state().deployments.length, edges.memory.state().locks.length]).to.deep.equal([
      2, 0,
    ]);
  });

  it('names the deployment that would be undone', async () => {
    const edges = await answering({ release: A });
    const { id } = await edges.ledger.insertDeployment(aRow(B));
    await advance(edges, id);
    expect(await previewRollback(edges, wanted())).to.deep.include({
      kind: 'rollback',
      undoes: id,
      hosts: [],
    });
  });
});

function wanted(more: Partial<RollbackRequest> = {}): RollbackRequest {
  const how = { codeOnly: false, skipUnreachable: false };
  return { ...WHERE, to: '', ...how, trigger: 'cli', requestId: null, ...more };
}

function wantedDeployment() {
  return {
    ...WHERE,
    commit: null,
    branch: null,
    force: false,
    hosts: [],
    trigger: 'cli' as const,
    requestId: null,
  };
}

let rows = 0;

function aRow(commit: string): NewDeployment {
  rows += 1;
  return newDeployment({ id: `d_row_${rows}`, ...WHERE, commit });
}

/** A deployment of this commit that succeeded. */
async function went({ ledger, pass }: MemoryEdges, commit: string): Promise<void> {
  const { id } = await ledger.insertDeployment(aRow(commit));
  await ledger.moveDeployment(id, 'queued', 'running', { started: true });
  pass(1);
  await ledger.moveDeployment(id, 'running', 'succeeded', { finished: true });
}

/** Ends a host's connection; what it answers makes a new one. */
async function away({ ledger }: MemoryEdges, host: string): Promise<() => Promise<unknown>> {
  const { epoch } = (await ledger.agent(host)) as AgentRow;
  await ledger.endLease(host, epoch);
  const known = { agentVersion: '0.1.0', bootId: 'b', instanceId: 'i', live: [] };
  return () => ledger.takeLease(host, { controllerId: 'c_1', leaseMs: 3_600_000, ...known });
}

async function play(
  edges: MemoryEdges,
  id: string,
  hosts: readonly string[] = ['web-1', 'web-2'],
): Promise<DeploymentRow> {
  const agents = hosts.map((name) => new ScriptedAgent(edges, name, 1));
  for (let round = 0; round < 20; round += 1) {
    await advance(edges, id);
    for (const agent of agents) await agent.work();
  }
  return (await edges.ledger.deployment(id)) as DeploymentRow;
}

type Seen = Parameters<typeof Inspection.fromPartial>[0];

/** Hosts that are as said (null: they answer nonsense); `meanwhile` happens once, while they are asked. */
async function answering(
  seen: Seen | null | ((host: string) => Seen | null),
  meanwhile: () => Promise<void> = () => Promise.resolve(),
  configuration = SAMPLE_CONFIGURATION,
  hear: (question: Question) => void = () => undefined,
): Promise<MemoryEdges> {
  const edges = await memoryEdges(configuration);
  let happened = false;
  edges.waking.subscribe((topic) => {
    if (topic.about === 'host') void answerAll(topic.name);
  });
  return edges;

  async function answerAll(host: string): Promise<void> {
    if (!happened) {
      happened = true;
      await meanwhile();
    }
    for (const { id, question } of await edges.ledger.openQuestions(host)) {
      hear(Question.decode(question));
      const bytes = Answer.encode({
        questionId: id,
        answer: answerTo(host, Question.decode(question)),
      }).finish();
      await edges.ledger.answerQuestion(id, host, bytes);
      await edges.ledger.wake({ about: 'question', id });
    }
  }

  function answerTo(host: string, { question }: Question): Answer['answer'] {
    const is = typeof seen === 'function' ? seen(host) : seen;
    if (is === null) return { $case: 'ancestry', value: { isAncestor: true } };
    if (question?.$case === 'inspect') return { $case: 'inspection', value: Inspection.fromPartial(is) };
    if (question?.$case === 'preview')
      return { $case: 'preview', value: HostPreview.fromPartial({ alreadyStaged: true }) };
    return { $case: 'resolved', value: { commit: B } };
  }
}
