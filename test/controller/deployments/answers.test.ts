import { expect } from 'chai';
import type { Actor } from '../../../controller/deployments/edges.js';
import { explain } from '../../../controller/deployments/explain.js';
import { nextOf } from '../../../controller/deployments/causes.js';
import { retryDeployment } from '../../../controller/deployments/retry-deployment.js';
import { answerForHosts } from '../../../controller/deployments/answer-for-hosts.js';
import { cancelDeployment, continueDeployment } from '../../../controller/deployments/steer-deployment.js';
import { summarize } from '../../../controller/deployments/summary.js';
import { PREVIOUS } from '../../support/builders.js';
import { memoryEdges, SAMPLE_CONFIGURATION, type MemoryEdges } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import type { Script } from '../../support/scripted-agent.js';
import { play, queue, team } from './play.js';

const ANA: Actor = { name: 'ana', role: 'deployer' };
const PAUSING = 'rollout: { on_failure: pause, batch: 2 }';

describe('a deployment that paused because hosts failed', () => {
  it('goes on when somebody has said of each what becomes of it, and the record says who', async () => {
    const { edges, id, agents, failing } = await paused(['web-1', 'web-2']);
    const asked = await explain(edges, { deploymentId: id, fraise: '', environment: '' });
    expect(nextOf(asked.causes, null)).to.contain(`fraisier skip ${id} --host web-1`);

    const skipped = await answerForHosts(edges, id, { act: 'skip', hosts: ['web-1'] }, ANA);
    expect(skipped.status).to.equal('paused');
    expect(skipped.reason?.hint).to.contain('--host web-2').and.not.contain('web-1');
    const why = await explain(edges, { deploymentId: id, fraise: '', environment: '' });
    expect(why.causes.at(-1)?.message).to.equal('it goes on when somebody has said what becomes of web-2');
    expect(nextOf(why.causes, null)).to.contain(`fraisier retry ${id} --host web-2`);

    failing.delete('web-2');
    edges.pass(1);
    const request = { id, hosts: ['web-2'], trigger: 'cli' as const, requestId: null };
    expect((await retryDeployment(edges, request, ANA)).status).to.equal('running');
    await play(edges, id, agents);
    const summary = await summarize(edges, id);
    expect([summary?.deployment.status, summary?.deployment.reason?.code]).to.deep.equal([
      'succeeded',
      'hosts_skipped',
    ]);
    expect(summary?.hosts.map((host) => host.reason?.message ?? null)).to.deep.equal([
      'ana left it out',
      null,
    ]);
    expect(agents[0]?.live).to.equal(PREVIOUS);
    expect(summary?.deployment.answers).to.deep.equal([
      { host: 'web-1', act: 'skip', by: 'ana', wasAway: false },
    ]);
    const audit = edges.memory.state().audit.map(({ action, facts }) => `${action} ${facts['hosts'] ?? ''}`);
    expect(audit).to.include.members(['deployment_skip_requested web-1', 'deployment_retry_requested web-2']);
  });

  it('pauses again when what was to be done again fails again, and takes a later word instead', async () => {
    const { edges, id, agents } = await paused(['web-2']);
    edges.pass(1);
    await answerForHosts(edges, id, { act: 'retry', hosts: ['web-2'] }, ANA);
    edges.pass(1);
    await play(edges, id, agents);
    const again = await edges.ledger.deployment(id);
    expect([again?.status, again?.answers]).to.deep.equal(['paused', []]);
    edges.pass(1);
    await answerForHosts(edges, id, { act: 'skip', hosts: ['web-2'] }, ANA);
    await play(edges, id, agents);
    expect(await edges.ledger.deployment(id)).to.include({ status: 'succeeded' });
  });

  it('keeps what was said of one host when `continue` answers for the rest', async () => {
    const { edges, id, agents, failing } = await paused(['web-1', 'web-2']);
    await answerForHosts(edges, id, { act: 'skip', hosts: ['web-1'] }, ANA);
    failing.clear();
    edges.pass(1);
    await continueDeployment(edges, id, ANA);
    await play(edges, id, agents);
    expect(await edges.ledger.deployment(id)).to.include({ status: 'succeeded' });
    expect(agents[0]?.live).to.equal(PREVIOUS);
  });

  it('takes the last word about a host, and the same word twice', async () => {
    const { edges, id, agents, failing } = await paused(['web-1', 'web-2']);
    const say = (act: 'retry' | 'skip', ...hosts: string[]) => answerForHosts(edges, id, { act, hosts }, ANA);
    await say('skip', 'web-1');
    await say('skip', 'web-1');
    const { answers } = await say('retry', 'web-1');
    expect(answers.map(({ host, act }) => [host, act])).to.deep.equal([['web-1', 'retry']]);
    failing.clear();
    edges.pass(1);
    await say('retry', 'web-2');
    await play(edges, id, agents);
    expect(await edges.ledger.deployment(id)).to.include({ status: 'succeeded', reason: null });
  });

  it('remembers that a host was away when it was left out', async () => {
    const { edges, id } = await paused(['web-1']);
    await edges.ledger.endLease('web-1', 1);
    const { answers } = await answerForHosts(edges, id, { act: 'skip', hosts: ['web-1'] }, ANA);
    expect(answers.map(({ wasAway }) => wasAway)).to.deep.equal([true]);
  });

  it('takes no word that makes no sense', async () => {
    const { edges, id } = await paused(['web-2']);
    const no = async (act: 'retry' | 'skip', ...hosts: string[]) =>
      (await refused(answerForHosts(edges, id, { act, hosts }, ANA))).message;
    expect(await no('skip', 'db-1')).to.equal(`db-1 is not a host of ${id}: web-1, web-2`);
    expect(await no('skip')).to.equal(`which host of ${id}?`);
    expect(await no('retry', 'web-1')).to.equal(`cannot retry ${id}: nothing failed on web-1`);
    const both = await paused(['web-1', 'web-2']);
    const all = { act: 'skip' as const, hosts: ['web-1', 'web-2'] };
    expect((await refused(answerForHosts(both.edges, both.id, all, ANA))).message).to.contain(
      'no host would be left',
    );
    await cancelDeployment(edges, id, ANA);
    expect(await no('skip', 'web-2')).to.contain('it is rolling_back');
    expect((await refused(answerForHosts(edges, 'd_0', all, ANA))).code).to.equal('unknown_deployment');
  });

  it('cannot go on without the host that migrates, nor leave one out on a rollback or while it is going back', async () => {
    const database = `${PAUSING}\n        database: { tool: command, up: [up], down: [down], status: [status] }`;
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', `${database}\n        health_check`),
    );
    const { id } = await queue(edges);
    await play(
      edges,
      id,
      team(edges, (step) => (step.name === 'migrate' ? 'failed' : 'succeeded')),
    );
    const skip = async () =>
      (await refused(answerForHosts(edges, id, { act: 'skip', hosts: ['web-1'] }, ANA))).message;
    expect(await skip()).to.contain('no host can go on without migrate on web-1');
    const run = { deploymentId: id, attempt: 1, steps: [], commit: '' };
    await edges.ledger.insertRun({ ...run, id: 'r_down', host: 'web-1', phase: 'migrate_down' });
    expect(await skip()).to.contain('it is going back already');

    const rollback = await paused(['web-2'], { kind: 'rollback' });
    const why = refused(answerForHosts(rollback.edges, rollback.id, { act: 'skip', hosts: ['web-2'] }, ANA));
    expect((await why).message).to.contain('a rollback leaves no host out half-way');
  });
});

describe('a deployment that waits because too few hosts are healthy', () => {
  it('says so, and which host it waits for', async () => {
    const least = 'rollout: { min_healthy: 1 }';
    const edges = await memoryEdges(
      SAMPLE_CONFIGURATION.replace('health_check', `${least}\n        health_check`),
    );
    const { id } = await queue(edges);
    const agents = team(edges, (step, run) => {
      const isLast = run.host === 'web-2' && run.phase === 'prepare' && step.name === 'stage';
      return isLast ? 'hangs' : 'succeeded';
    });
    await play(edges, id, agents);
    await edges.ledger.endLease('web-2', 1);
    const hanging = (await edges.ledger.runsOf(id)).find(({ host }) => host === 'web-2');
    await edges.ledger.moveRun(hanging?.id ?? '', 'running', 'succeeded', {
      previousRelease: PREVIOUS,
      finished: true,
    });
    expect((await edges.ledger.deployment(id))?.status).to.equal('running');
    const { causes } = await explain(edges, { deploymentId: id, fraise: '', environment: '' });
    expect(causes.map(({ code }) => code)).to.deep.equal(['too_few_healthy', 'agent_away']);
    expect(causes[0]?.message).to.contain('1 of 2 hosts are healthy (not: web-2) and min_healthy is 1');
    expect(nextOf(causes, null)).to.equal('systemctl status fraisier-agent (on web-2)');
  });
});

/** With the hosts on which the health check fails, until they are taken out of the set. */
async function paused(hosts: readonly string[], more: Parameters<typeof queue>[1] = {}) {
  const edges: MemoryEdges = await memoryEdges(
    SAMPLE_CONFIGURATION.replace('health_check', `${PAUSING}\n        health_check`),
  );
  const failing = new Set(hosts);
  const script: Script = (step, run) =>
    run.phase === 'release' && step.name === 'health' && failing.has(run.host) ? 'failed' : 'succeeded';
  const agents = team(edges, script);
  const { id } = await queue(edges, more);
  await play(edges, id, agents);
  const held = await edges.ledger.deployment(id);
  expect(held?.status).to.equal('paused');
  return { edges, id, agents, failing };
}
