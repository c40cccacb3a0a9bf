import { expect } from 'chai';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { atEvent, ended, push, SECRET, steps, type Shown } from './deploying.js';
import { drawn } from './drawn.js';
import { gatedService, LINES_EACH, STEPS, type Gate, type GatedService } from './gated-service.js';

const VICTIMS = ['agent', 'controller', 'database'] as const;
type Victim = (typeof VICTIMS)[number];

/** Steps that hold a command or an answer at a gate, and in which attempt they succeed when the agent dies inside. */
const INSIDE: readonly { gate: Gate; step: string; attemptsAfterAgent: number; begunAfterAgent: number }[] = [
  { gate: 'install', step: 'prepare install', attemptsAfterAgent: 1, begunAfterAgent: 1 },
  { gate: 'migrate', step: 'migrate migrate', attemptsAfterAgent: 1, begunAfterAgent: 1 },
  { gate: 'restart', step: 'release restart', attemptsAfterAgent: 2, begunAfterAgent: 2 },
  { gate: 'health', step: 'release health', attemptsAfterAgent: 2, begunAfterAgent: 0 },
];

interface Boundary {
  readonly victim: Victim;
  readonly phase: string;
  readonly step: string;
  readonly moment: 'step_started' | 'step_finished';
}

const BOUNDARIES: readonly Boundary[] = VICTIMS.flatMap((victim) =>
  STEPS.flatMap(([phase, step]) =>
    (['step_started', 'step_finished'] as const).map((moment) => ({ victim, phase, step, moment })),
  ),
);

const OPENED = ['while it is dead', 'after it is back'] as const;
type Opened = (typeof OPENED)[number];

/** Every way to die inside a step. */
const DEATHS = VICTIMS.flatMap((victim) =>
  INSIDE.flatMap((inside) => OPENED.map((opened) => ({ victim, ...inside, opened }))),
);

describe('death in the middle of a deployment (kill -9) (row 2)', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let gated: GatedService;

  before(async () => {
    cluster = await startCluster({ environment: { GITHUB_WEBHOOK_SECRET: SECRET } });
    gated = await gatedService(cluster);
    await cluster.apply(gated.configuration);
  });

  after(async () => {
    await gated.service.stop();
    await cluster.stop();
  });

  beforeEach(() => gated.reset());

  for (const { victim, gate, step, opened, attemptsAfterAgent, begunAfterAgent } of drawn(
    'deaths inside a step',
    DEATHS,
    6,
  )) {
    it(`of the ${victim}, inside ${step}, which goes on ${opened}`, async () => {
      const shown = await dieInside(victim, gate, opened);
      expectLive(shown);
      const attempts = victim === 'agent' ? attemptsAfterAgent : 1;
      expect(steps(shown)).to.include(`${step} succeeded ${attempts}`);
      const begun = victim === 'agent' ? begunAfterAgent : gate === 'health' ? 0 : 1;
      expect(await gated.begun(gate), 'times the command was begun').to.equal(begun);
      if (gate === 'install') await expectWholeLog(shown.id);
    });
  }

  for (const { victim, phase, step, moment } of drawn('boundaries of steps', BOUNDARIES, 3)) {
    it(`of the ${victim}, as ${phase} ${step} ${moment === 'step_started' ? 'has started' : 'has finished'}`, async () => {
      const id = await push(
        cluster,
        gated.service.repository,
        await gated.commit(`${victim} ${step} ${moment}`),
      );
      const there = (event: { event: string; phase?: string; step?: string }) =>
        event.event === moment && event.phase === phase && event.step === step;
      await atEvent(cluster, id, there, () => kill(victim));
      await start(victim);
      const shown = await ended(cluster, id);
      // The kill is aimed at what a watcher saw: on a busy machine it may come as late as the start of the migration.
      if (victim === 'agent' && shown.status === 'paused') {
        expect(shown.reason?.code).to.equal('outcome_unknown');
        await expectUnknownThenContinued(id);
      } else {
        expectLive(shown);
        expect(await gated.begun('migrate'), 'times the migration was begun').to.equal(1);
      }
      await expectWholeLog(id);
    });
  }

  it('never guesses: a migration that died with its agent pauses the deployment, and continue goes on', async () => {
    await gated.close('migrate');
    const id = await push(cluster, gated.service.repository, await gated.commit('unknown'));
    await gated.entered('migrate');
    await kill('agent');
    await killCommand('migrate.sh');
    await start('agent');
    const paused = await ended(cluster, id);
    expect(paused.status).to.equal('paused');
    expect(paused.reason?.code).to.equal('outcome_unknown');
    expect(paused.reason?.hint).to.contain(`fraisier continue ${id}`);
    expect(steps(paused)).to.include('migrate migrate interrupted 1');
    expect(await gated.begun('migrate')).to.equal(1);
    await gated.open('migrate');
    const { code } = await cluster.cli(['continue', id]);
    expect(code).to.equal(0);
    const shown = await ended(cluster, id);
    expect([shown.status, shown.hosts[0]?.new_version]).to.deep.equal(['succeeded', shown.commit]);
  });

  /** Killed between writing down that it starts the migration and starting it: nobody can know, so somebody is asked. */
  async function expectUnknownThenContinued(id: string): Promise<void> {
    const begun = await gated.begun('migrate');
    expect(begun, 'times the migration was begun before anybody said so').to.be.below(2);
    await cluster.cli(['continue', id]);
    const { status } = await ended(cluster, id);
    // One that had been applied after all is refused as changed; one that never began succeeds, begun once.
    expect(status).to.be.oneOf(begun === 0 ? ['succeeded'] : ['succeeded', 'rolled_back', 'rollback_failed']);
    if (begun === 0) expect(await gated.begun('migrate')).to.equal(1);
  }

  async function dieInside(victim: Victim, gate: Gate, opened: Opened): Promise<Shown> {
    await gated.close(gate);
    const id = await push(cluster, gated.service.repository, await gated.commit(`${victim} inside ${gate}`));
    await gated.entered(gate);
    await kill(victim);
    if (opened === 'while it is dead') await gated.open(gate);
    await start(victim);
    await gated.open(gate);
    return ended(cluster, id);
  }

  async function kill(victim: Victim): Promise<void> {
    if (victim === 'database') await cluster.killDatabase();
    else await (victim === 'agent' ? cluster.agent('web-1') : cluster.controller).kill9();
  }

  async function start(victim: Victim): Promise<void> {
    // Nobody but its controller brings the database back.
    if (victim === 'database') await cluster.controller.ready();
    else await (victim === 'agent' ? cluster.agent('web-1') : cluster.controller).start();
  }

  /** Ends every process below the cluster's folder whose command line names this script. */
  async function killCommand(script: string): Promise<void> {
    const { processesBelow } = await import('../support/leftovers.js');
    for (const found of await processesBelow(cluster.folder)) {
      if (found.argv.includes(script)) process.kill(found.pid, 'SIGKILL');
    }
  }

  function expectLive(shown: Shown): void {
    expect(shown.status, JSON.stringify(shown.reason)).to.equal('succeeded');
    expect(shown.hosts.map((host) => host.new_version)).to.deep.equal([shown.commit]);
    const odd = steps(shown).filter((step) => !step.includes('succeeded') && !step.includes('interrupted'));
    expect(odd).to.deep.equal([]);
  }

  /** Every line of the last attempt of install, once and in order. */
  async function expectWholeLog(id: string): Promise<void> {
    const text = await cluster.must(['logs', id, '--step', 'install']);
    const lines = text.split('\n').filter((line) => /(before|after) \d+$/.test(line));
    const wanted = ['before', 'after'].flatMap((word) =>
      Array.from({ length: LINES_EACH }, (_, index) => `${word} ${index + 1}`),
    );
    expect(lines.map((line) => line.replace(/^.*?(before|after)/, '$1'))).to.deep.equal(wanted);
  }
});
