import { expect } from 'chai';
import { askAgent } from '../../../controller/deployments/ask-agent.js';
import { environmentStatus } from '../../../controller/deployments/environment-status.js';
import { previewDeployment } from '../../../controller/deployments/preview-deployment.js';
import {
  requestDeployment,
  type DeploymentRequest,
} from '../../../controller/deployments/request-deployment.js';
import { retryDeployment } from '../../../controller/deployments/retry-deployment.js';
import type { Actor } from '../../../controller/deployments/edges.js';
import type { DeploymentChange, DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { Answer, HostPreview, Inspection, Question } from '../../../proto/gen/fraisier/v1/agent.js';
import { DeploymentPlan } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { COMMIT } from '../../support/builders.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { newDeployment } from '../db/samples.js';

const ANA: Actor = { name: 'ana', role: 'deployer' };
type Body = Answer['answer'];
const commit: Body = { $case: 'resolved', value: { commit: COMMIT } };
const refusal: Body = {
  $case: 'refused',
  value: reason('policy_refused', 'no line allows /srv/checkout', { hint: 'sudo fraisier agent allow' }),
};

describe('asking an agent', () => {
  it('answers with what the agent said', async () => {
    const edges = await answering(() => commit);
    expect(await ask(edges)).to.deep.equal(commit);
  });

  it('throws the reason for which it refuses, with the host', async () => {
    const why = await refused(ask(await answering(() => refusal)));
    expect([why.code, why.facts['host']]).to.deep.equal(['policy_refused', 'web-1']);
  });

  it('says so at once when it is away, and when it does not answer in time', async () => {
    const edges = await memoryEdges();
    const waiting = refused(
      ask({ ...edges, after: (_ms, act) => edges.after(0, () => (edges.pass(2), act())) }),
    );
    expect((await waiting).code).to.equal('no_answer');
    edges.pass(4000);
    expect((await refused(ask(edges))).code).to.equal('agent_away');
  });

  it('notices an answer of an unknown kind', async () => {
    expect((await refused(ask(await answering(() => undefined)))).code).to.equal('no_answer');
  });

  it('does not poll while nothing wakes it for longer than its slow poll', async () => {
    const edges = await memoryEdges();
    const polls: number[] = [];
    const slow = refused(
      ask({ ...edges, after: (ms, act) => (polls.push(ms), edges.after(ms, () => (edges.pass(1), act()))) }),
    );
    edges.waking.subscribe(() => undefined);
    await edges.ledger.wake({ about: 'question', id: 'q_other' });
    await slow;
    expect(new Set(polls)).to.deep.equal(new Set([500]));
  });
});

describe('requesting a deployment', () => {
  it('pins the commit that the hosts resolve and queues it', async () => {
    const edges = await answering(() => commit);
    const made = await requestDeployment(edges, wanted(), ANA);
    expect(made).to.include({
      status: 'queued',
      commit: COMMIT,
      ref: 'main',
      requestedBy: 'ana',
      configRevision: 1,
    });
    expect(edges.memory.state().audit.map((entry) => entry.action)).to.deep.equal(['deployment_requested']);
  });

  it('makes one deployment for one request id', async () => {
    const edges = await answering(() => commit);
    const request = wanted({ requestId: 'once' });
    const both = await Promise.all([
      requestDeployment(edges, request, ANA),
      requestDeployment(edges, request, ANA),
    ]);
    expect(both[0].id).to.equal(both[1].id);
    expect((await requestDeployment(edges, request, ANA)).id).to.equal(both[0].id);
    expect(edges.memory.state().deployments).to.have.length(1);
  });

  it('writes nothing when anything about it is wrong', async () => {
    const cases: [Partial<DeploymentRequest>, Body, string][] = [
      [{ fraise: 'nope' }, commit, 'unknown_fraise'],
      [{ environment: 'nope' }, commit, 'unknown_environment'],
      [{ environment: 'staging' }, commit, 'no_hosts'],
      [{ hosts: ['db-1'] }, commit, 'unknown_host'],
      [{}, refusal, 'policy_refused'],
      [{}, { $case: 'refused', value: reason('commit_not_found', 'no such commit') }, 'unknown_commit'],
      [{}, { $case: 'ancestry', value: { isAncestor: true } }, 'no_answer'],
    ];
    for (const [more, answer, code] of cases) {
      const edges = await answering(() => answer);
      expect((await refused(requestDeployment(edges, wanted(more), ANA))).code).to.equal(code);
      expect(edges.memory.state().deployments).to.have.length(0);
    }
    const edges = await answering(() => commit);
    edges.pass(4000);
    expect((await refused(requestDeployment(edges, wanted(), ANA))).code).to.equal('agent_away');
  });

  it('is refused for a host that is away, and says how to leave it out; then the others are asked', async () => {
    const edges = await answering(() => commit);
    edges.pass(3000);
    await edges.ledger.renewLease('web-1', 1, 3_600_000);
    edges.pass(1000);
    const away = await refused(requestDeployment(edges, wanted(), ANA));
    expect([away.code, away.hint]).to.deep.equal([
      'agent_away',
      'systemctl status fraisier-agent (on web-2) or fraisier deploy checkout production --skip-unreachable (leaves it as it is)',
    ]);
    const made = await requestDeployment(edges, wanted({ skipUnreachable: true }), ANA);
    expect(made).to.include({ skipUnreachable: true, commit: COMMIT });
    const shown = await previewDeployment(edges, wanted({ skipUnreachable: true }));
    expect(shown.hosts.map(({ host }) => host)).to.deep.equal(['web-1']);
    expect(shown.warnings).to.deep.equal(['web-2 does not answer: it is left as it is']);
    edges.pass(4000);
    const none = await refused(requestDeployment(edges, wanted({ skipUnreachable: true }), ANA));
    expect([none.code, none.hint]).to.deep.equal([
      'agent_away',
      'systemctl status fraisier-agent (on web-1)',
    ]);
  });

  it('deploys what an ended one deployed once more, under the configuration of now, and names it', async () => {
    const edges = await answering(() => commit);
    const { id } = await requestDeployment(edges, wanted(), ANA);
    const again = { id, hosts: ['web-1'], trigger: 'cli' as const, requestId: 'once' };
    const waiting = await refused(retryDeployment(edges, again, ANA));
    expect(waiting).to.include({ code: 'not_steerable', message: `cannot retry ${id}: it is queued` });
    await edges.ledger.moveDeployment(id, 'queued', 'failed', { finished: true });
    const made = await retryDeployment(edges, again, ANA);
    expect(made).to.include({ kind: 'retry', originId: id, commit: COMMIT, ref: COMMIT, status: 'queued' });
    expect(made.onlyHosts).to.deep.equal(['web-1']);
    expect((await retryDeployment(edges, again, ANA)).id).to.equal(made.id);
    expect(edges.memory.state().deployments).to.have.length(2);
  });

  it('deploys neither a rollback once more nor what is not there', async () => {
    const edges = await answering(() => commit);
    const { id } = await requestDeployment(edges, wanted(), ANA);
    const made = (await edges.ledger.deployment(id)) as DeploymentRow;
    await edges.ledger.insertDeployment({ ...made, id: 'd_back', kind: 'rollback' });
    await edges.ledger.moveDeployment('d_back', 'queued', 'failed', { finished: true });
    const retry = (of: string) =>
      refused(retryDeployment(edges, { id: of, hosts: [], trigger: 'cli', requestId: null }, ANA));
    expect(await retry('d_back')).to.include({
      code: 'not_steerable',
      message: 'cannot retry d_back: it is a rollback',
      hint: 'fraisier rollback checkout production',
    });
    expect((await retry('d_x')).code).to.equal('unknown_deployment');
  });

  it('needs a commit or branch where the environment has none', async () => {
    const edges = await answering(() => commit, SAMPLE_CONFIGURATION.replace('branch: main', 'tags: "v*"'));
    expect((await refused(requestDeployment(edges, wanted(), ANA))).hint).to.contain('--branch');
    expect((await requestDeployment(edges, wanted({ branch: 'next' }), ANA)).ref).to.equal('next');
    expect((await requestDeployment(edges, wanted({ commit: COMMIT }), ANA)).ref).to.equal(COMMIT);
  });
});

describe('previewing a deployment', () => {
  it('shows the plan and what each host says it would change', async () => {
    const preview = HostPreview.fromPartial({ currentRelease: 'a', freeBytes: 7 });
    const edges = await answering((question, host) => {
      if (question.question?.$case === 'resolveRef') return commit;
      return host === 'web-1' ? { $case: 'preview', value: preview } : refusal;
    });
    const shown = await previewDeployment(edges, wanted());
    expect(
      shown.hosts.map((host) => [host.host, host.batch, host.preview?.currentRelease, host.problem?.code]),
    ).to.deep.equal([
      ['web-1', 0, 'a', undefined],
      ['web-2', 1, undefined, 'policy_refused'],
    ]);
    expect(shown.hosts[0]?.steps[0]).to.equal('prepare: preflight');
    expect(shown.rules).to.deep.equal(['when a host fails all of them go back']);
    expect(edges.memory.state().deployments).to.have.length(0);
  });

  it('shows the batches in which it would go, zone by zone', async () => {
    const zoned = SAMPLE_CONFIGURATION.replace(
      'fraises:',
      'hosts: { web-1: { labels: { zone: b } }, web-2: { labels: { zone: a } } }\nfraises:',
    ).replace('health_check', 'rollout: { batch: 2 }\n        health_check');
    const shown = await previewDeployment(await answering(() => commit, zoned), wanted());
    expect(shown.hosts.map(({ host, batch }) => [host, batch])).to.deep.equal([
      ['web-2', 0],
      ['web-1', 1],
    ]);
  });

  it('shows a host that answers something else as a problem', async () => {
    const shown = await previewDeployment(await answering(() => commit), wanted());
    expect(shown.hosts[0]?.problem?.code).to.equal('no_answer');
  });
});

describe('a ledger that breaks while a host is asked', () => {
  it('is no finding about the host', async () => {
    const edges = await answering(() => commit);
    await succeededOnce(edges);
    const where = { fraise: 'checkout', environment: 'production' };
    expect(await environmentStatus(breaking(edges), where).catch(String)).to.equal('Error: broken');
    let asked = 0;
    const later = breaking(edges, () => (asked += 1) > 2);
    expect(await previewDeployment(later, wanted()).catch(String)).to.equal('Error: broken');
  });
});

describe('the status of an environment', () => {
  const LIVE = { release: COMMIT, unitState: 'active', health: 'healthy' };

  it('is what every host sees now, beside what the record wants', async () => {
    const cases: [Partial<Inspection>, string][] = [
      [LIVE, 'live'],
      [{ ...LIVE, release: 'older' }, 'stale'],
      [{ ...LIVE, drift: ['dirty files: x'] }, 'drifted'],
      [{ ...LIVE, health: 'unhealthy', healthAnswer: '500' }, 'unhealthy'],
      [{ ...LIVE, unitState: 'failed' }, 'unhealthy'],
    ];
    for (const [seen, status] of cases) {
      const edges = await answering(() => ({ $case: 'inspection', value: Inspection.fromPartial(seen) }));
      await succeededOnce(edges);
      const [look] = await environmentStatus(edges, { fraise: 'checkout', environment: 'production' });
      expect([look?.wantedVersion, look?.hosts[0]?.status]).to.deep.equal([COMMIT, status]);
    }
  });

  it('is unknown where nothing was deployed or nothing is answered', async () => {
    const nothing = await answering(() => ({ $case: 'inspection', value: Inspection.fromPartial({}) }));
    expect(
      (await environmentStatus(nothing, { fraise: 'checkout', environment: '' }))[0]?.hosts[0]?.status,
    ).to.equal('unknown');
    const odd = await answering(() => commit);
    expect((await environmentStatus(odd, { fraise: '', environment: '' }))[0]?.hosts[0]?.status).to.equal(
      'unknown',
    );
    const refusing = await answering(() => refusal);
    expect(
      (await environmentStatus(refusing, { fraise: '', environment: '' }))[0]?.hosts[0]?.reason?.code,
    ).to.equal('policy_refused');
  });

  it('is away with the time since when, and what the record says is there', async () => {
    const edges = await memoryEdges();
    await edges.ledger.setLive(
      new Map([
        [
          'web-1',
          [
            {
              fraise: 'checkout',
              environment: 'production',
              appPath: '/srv/checkout',
              release: 'abc',
              provenGood: true,
              origin: '',
            },
          ],
        ],
      ]),
    );
    edges.pass(4000);
    const looks = await environmentStatus(edges, { fraise: '', environment: '' });
    expect(looks.map((look) => look.environment)).to.deep.equal(['production', 'staging']);
    expect(looks[0]?.hosts.map((host) => [host.status, host.liveVersion])).to.deep.equal([
      ['away', 'abc'],
      ['away', ''],
    ]);
    expect(looks[0]?.hosts[0]?.reason?.message).to.contain('away since');
    await edges.ledger.enrolAgent({
      name: 'web-1',
      labels: {},
      certificateSerial: '1',
      certificateExpiresAt: new Date(0),
    });
  });

  it('says which deployment left a host as it was, and what mends that', async () => {
    const catching = SAMPLE_CONFIGURATION.replace(
      'health_check',
      'rollout: { catch_up: true }\n        health_check',
    );
    const marks = async (
      configuration: string,
      release: string,
      lapse: number,
      more: DeploymentChange = {},
    ) => {
      const seen = { ...LIVE, release };
      const edges = await answering(
        () => ({ $case: 'inspection', value: Inspection.fromPartial(seen) }),
        configuration,
      );
      await succeededOnce(edges, {
        plan: DeploymentPlan.fromPartial({ hosts: [{ host: 'web-1' }], leftOut: ['web-2'] }),
        ...more,
      });
      edges.pass(lapse);
      const [look] = await environmentStatus(edges, { fraise: 'checkout', environment: 'production' });
      return look?.hosts.map(({ status, reason: why }) => [status, why?.message ?? '', why?.hint ?? '']);
    };
    const left = 'left as it was by d_0, because it was away';
    expect(await marks(SAMPLE_CONFIGURATION, 'older', 0)).to.deep.equal([
      ['stale', '', ''],
      ['stale', left, 'fraisier retry d_0 --host web-2'],
    ]);
    expect((await marks(catching, 'older', 0))?.[1]?.slice(1)).to.deep.equal([
      `${left}; it is brought up to date once it is back`,
      '',
    ]);
    expect((await marks(catching, COMMIT, 0))?.[1]).to.deep.equal(['live', '', '']);
    expect((await marks(catching, '', 4000))?.[1]?.[1]).to.match(
      /^the agent has been away since .*; left as it was by d_0/,
    );
    const answers = [{ host: 'web-2', act: 'skip' as const, by: 'ana', wasAway: false }];
    const skipped = await marks(catching, 'older', 0, {
      plan: DeploymentPlan.fromPartial({ hosts: [] }),
      answers,
    });
    expect(skipped?.[1]?.slice(1)).to.deep.equal([
      'left as it was by d_0',
      'fraisier retry d_0 --host web-2',
    ]);
  });

  it('says so for an agent that never connected', async () => {
    const edges = await memoryEdges(SAMPLE_CONFIGURATION.replace('[web-1, web-2]', '[web-3]'));
    await edges.ledger.enrolAgent({
      name: 'web-3',
      labels: {},
      certificateSerial: '1',
      certificateExpiresAt: new Date(0),
    });
    const [look] = await environmentStatus(edges, { fraise: 'checkout', environment: 'production' });
    expect(look?.hosts[0]?.reason?.message).to.equal('the agent has never connected');
  });

  it('refuses names that do not exist', async () => {
    const edges = await memoryEdges();
    expect((await refused(environmentStatus(edges, { fraise: 'nope', environment: '' }))).code).to.equal(
      'unknown_fraise',
    );
    expect(
      (await refused(environmentStatus(edges, { fraise: 'checkout', environment: 'nope' }))).code,
    ).to.equal('unknown_environment');
  });
});

function ask(edges: MemoryEdges): Promise<NonNullable<Body>> {
  return askAgent(
    edges,
    'web-1',
    { $case: 'isAncestor', value: { target: undefined, ancestor: 'a', descendant: 'b' } },
    1000,
  );
}

/** The same edges over a ledger that takes no questions (once `now` says so). */
function breaking(edges: MemoryEdges, now: () => boolean = () => true): MemoryEdges {
  const transaction: MemoryEdges['ledger']['transaction'] = (work) =>
    now() ? Promise.reject(new Error('broken')) : edges.ledger.transaction(work);
  const ledger = new Proxy(edges.ledger, {
    get: (target, name: keyof MemoryEdges['ledger']) => (name === 'transaction' ? transaction : target[name]),
  });
  return { ...edges, ledger };
}

function wanted(more: Partial<DeploymentRequest> = {}): DeploymentRequest {
  return {
    fraise: 'checkout',
    environment: 'production',
    commit: null,
    branch: null,
    force: false,
    hosts: [],
    trigger: 'cli',
    requestId: null,
    ...more,
  };
}

/** Hosts that answer every question at once. */
async function answering(
  answer: (question: Question, host: string) => Body,
  configuration?: string,
): Promise<MemoryEdges> {
  const edges = await memoryEdges(configuration);
  edges.waking.subscribe((topic) => {
    if (topic.about === 'host') void answerAll(topic.name);
  });
  return edges;

  async function answerAll(host: string): Promise<void> {
    for (const { id, question } of await edges.ledger.openQuestions(host)) {
      const bytes = Answer.encode({
        questionId: id,
        answer: answer(Question.decode(question), host),
      }).finish();
      await edges.ledger.answerQuestion(id, host, bytes);
      await edges.ledger.wake({ about: 'question', id });
    }
  }
}

async function succeededOnce(edges: MemoryEdges, change: DeploymentChange = {}): Promise<void> {
  const { ledger } = edges;
  await ledger.insertDeployment(newDeployment({ id: 'd_0', ref: '' }));
  await ledger.moveDeployment('d_0', 'queued', 'running', { started: true });
  await ledger.moveDeployment('d_0', 'running', 'succeeded', { ...change, finished: true });
}
