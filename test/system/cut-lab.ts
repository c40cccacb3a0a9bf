import { expect } from 'chai';
import { RELAY_HOST } from '../support/agent-relay.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { CutLine, type Cut } from './cut-line.js';
import { ended, push, SECRET, steps, type Shown } from './deploying.js';
import { OUTPUT, recorded, recordedOutput, STORY } from './deployment-story.js';
import { GATED, gatedService, STEPS, type GatedService } from './gated-service.js';

export const AGENT = 'web-1';

/** A real controller and a real agent, with a line between them that can be cut, and the gated service to deploy. */
export class CutLab {
  readonly cluster: Cluster;
  readonly line: CutLine;
  readonly gated: GatedService;

  static async start(): Promise<CutLab> {
    const environment = { GITHUB_WEBHOOK_SECRET: SECRET };
    const cluster = await startCluster({
      agents: [],
      onTestServer: true,
      advertise: RELAY_HOST,
      environment,
    });
    const line = await CutLine.to(cluster, AGENT);
    await cluster.addAgent(AGENT);
    const gated = await gatedService(cluster);
    await cluster.apply(gated.configuration);
    return new CutLab(cluster, line, gated);
  }

  private constructor(cluster: Cluster, line: CutLine, gated: GatedService) {
    this.cluster = cluster;
    this.line = line;
    this.gated = gated;
  }

  async stop(): Promise<void> {
    await this.gated.service.stop();
    await this.cluster.stop();
    await this.line.stop();
  }

  /** Deploys a new commit, with these cuts on its way. */
  async deploy(cuts: readonly Cut[]): Promise<Shown> {
    const id = await this.begin(cuts);
    await this.gated.open('install');
    return ended(this.cluster, id);
  }

  /** As `deploy`, until install has printed something; it waits at its gate then. */
  async begin(cuts: readonly Cut[]): Promise<string> {
    await this.connected();
    await this.gated.close('install');
    const commit = await this.gated.commit('cut');
    this.line.play(cuts);
    const id = await push(this.cluster, this.gated.service.repository, commit);
    await this.gated.entered('install');
    await until('its first output', () => this.line.heard.has('output of install, its beginning'));
    return id;
  }

  async connected(): Promise<void> {
    await until('the agent to be connected', async () => {
      const { agents } = await this.cluster.control.ask('listAgents', {});
      return agents.every(({ status }) => status === 'connected');
    });
  }

  /** The commit is live, every step was done once, and all of it is recorded: once, in order, its output whole. */
  async expectDone(shown: Shown): Promise<void> {
    expect(shown.status, JSON.stringify(shown.reason)).to.equal('succeeded');
    expect(shown.hosts.map((host) => host.new_version)).to.deep.equal([shown.commit]);
    expect(steps(shown)).to.deep.equal(STEPS.map(([phase, step]) => `${phase} ${step} succeeded 1`));
    for (const gate of GATED) expect(await this.gated.begun(gate), `times ${gate} was begun`).to.equal(1);
    expect(await recorded(this.cluster, shown.id)).to.deep.equal(STORY);
    expect(await recordedOutput(this.cluster, shown.id)).to.equal(OUTPUT);
  }

  /** Until every cut has been made: the last may come after the end. */
  async expectCut(): Promise<void> {
    await until(`a cut at ${this.line.cutsToCome[0]?.name}`, () => this.line.cutsToCome.length === 0);
  }
}
