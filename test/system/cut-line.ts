import type { Cluster } from '../support/cluster.js';
import { relayToAgents } from '../support/agent-relay.js';
import type { Direction, Fate, GrpcRelay } from '../support/grpc-relay.js';
import { messageNames, type NameMessage } from './message-names.js';

/** Where a connection breaks, or falls silent: at the first message of this name. */
export interface Cut {
  readonly moment: 'before' | 'after' | 'from';
  readonly name: string;
}

const FATES: Readonly<Record<Cut['moment'], Fate>> = {
  before: 'cut before',
  after: 'cut after',
  from: 'silence',
};

/** The line between one agent and its controller, which breaks at messages one names. */
export class CutLine {
  readonly #names: NameMessage = messageNames();
  readonly #heard = new Set<string>();
  #cuts: readonly Cut[] = [];
  #relay: GrpcRelay | undefined;

  /** Before the agent is added. */
  static async to(cluster: Cluster, agent: string): Promise<CutLine> {
    const line = new CutLine();
    line.#relay = await relayToAgents(cluster, agent, (direction, message) =>
      line.#judge(direction, message),
    );
    return line;
  }

  /** Names of all that was said since `play`. */
  get heard(): ReadonlySet<string> {
    return this.#heard;
  }

  /** Those that have not come yet. */
  get cutsToCome(): readonly Cut[] {
    return this.#cuts;
  }

  /** Breaks at each of these in turn, and forgets what was said. */
  play(cuts: readonly Cut[]): void {
    this.#heard.clear();
    this.#cuts = cuts;
  }

  cutNow(): void {
    this.#relay?.cut();
  }

  async stop(): Promise<void> {
    await this.#relay?.stop();
  }

  #judge(direction: Direction, message: Buffer): Fate {
    const names = this.#names(direction, message);
    for (const name of names) this.#heard.add(name);
    const [next, ...later] = this.#cuts;
    if (next === undefined || !names.includes(next.name)) return 'pass';
    this.#cuts = later;
    return FATES[next.moment];
  }
}
