import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '../../agent/steps/step.js';
import type { ControllerStream } from '../../agent/transport.js';
import { HostPreview, Inspection, type Answer, type Question } from '../../proto/gen/fraisier/v1/agent.js';
import { agentWithoutCommands, playQuietly } from '../bench/agent-without-commands.js';
import type { Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';

/** What an agent of the crowd does for a command: given its host, to print and to wait. */
export type Command = (host: string, context: StepContext) => Promise<void>;

/** Agents of the real protocol, journal and output in this process, whose commands are functions of the test. */
export class Crowd {
  readonly #cluster: Cluster;
  readonly #leave = new AbortController();
  readonly #streams = new Map<string, ControllerStream>();
  #living: Promise<unknown> = Promise.resolve();
  command: Command = () => Promise.resolve();

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    setMaxListeners(0, this.#leave.signal);
  }

  /** Enrols and connects an agent for every host. */
  static async gather(cluster: Cluster, hosts: readonly string[]): Promise<Crowd> {
    const crowd = new Crowd(cluster);
    crowd.#living = Promise.all(hosts.map((host) => crowd.#live(host)));
    await until('the crowd to be connected', async () => {
      const { agents } = await cluster.control.ask('listAgents', {});
      return agents.filter(({ status }) => status === 'connected').length === hosts.length;
    });
    return crowd;
  }

  /** Breaks the connections of these hosts; their agents dial again. */
  cut(hosts: readonly string[]): void {
    for (const host of hosts) this.#streams.get(host)?.close();
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    await this.#living;
  }

  async #live(host: string): Promise<void> {
    const folder = join(this.#cluster.folder, 'crowd', host);
    await mkdir(folder, { recursive: true });
    const { token } = await this.#cluster.control.ask('createJoinToken', {
      name: host,
      labels: {},
      ttlMs: 60_000,
    });
    const order = { controllers: [this.#cluster.grpc], token };
    await agentWithoutCommands(folder, order, this.#leave.signal, {
      play: async (step, context, live) => {
        if (step.action?.$case === 'command') await this.command(host, context);
        return playQuietly(step, context, live);
      },
      answer: (question) => Promise.resolve(looksWell(question)),
      connected: (stream) => void this.#streams.set(host, stream),
    });
  }
}

/** A host that has any commit and nothing to say against it. */
function looksWell({ questionId, question }: Question): Answer {
  if (question?.$case === 'resolveRef')
    return { questionId, answer: { $case: 'resolved', value: { commit: question.value.ref } } };
  if (question?.$case === 'preview')
    return { questionId, answer: { $case: 'preview', value: HostPreview.fromPartial({}) } };
  return { questionId, answer: { $case: 'inspection', value: Inspection.fromPartial({ health: 'ok' }) } };
}
