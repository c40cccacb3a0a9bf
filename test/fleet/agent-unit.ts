import { until } from '../support/until.js';
import type { Fleet, Server } from './fleet.js';
import type { Host } from './lab/host.js';

export const UNIT = 'fraisier-agent.service';
const HOLD = '/run/systemd/system/fraisier-agent.service.d';

/** Flags of `agent install` that widen the host's policy. */
export type Allowing = readonly string[];

/** Makes a host an agent as a person does it: a token from the laptop, pasted on the host. Returns the token. */
export async function installAgent(fleet: Fleet, server: Server, allowing: Allowing): Promise<string> {
  const token = (await fleet.must(['agents', 'token', '--name', server])).trim();
  const flags = ['--controller', fleet.address, '--join-token-file', '-', ...allowing];
  await fleet.server(server).must(['fraisier', 'agent', 'install', ...flags], { input: `${token}\n` });
  await fleet.connected(server);
  return token;
}

/** The agent of a host, as its systemd sees it. */
export class AgentUnit {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** SIGKILL to the agent's process alone; systemd starts it again. */
  async kill9(): Promise<void> {
    await this.#kill();
  }

  /** SIGKILL to the agent's process alone, and systemd leaves it dead until `release`. */
  async kill9AndHold(): Promise<void> {
    const write = `mkdir -p ${HOLD} && printf '[Service]\\nRestart=no\\n' >${HOLD}/hold.conf && systemctl daemon-reload`;
    await this.#host.must(['sh', '-c', write]);
    await this.#kill();
    const dead = async () =>
      (await this.#host.exec(['systemctl', 'is-failed', UNIT])).stdout.trim() === 'failed';
    await until('the agent to be dead', dead);
  }

  async release(): Promise<void> {
    const start = `rm -rf ${HOLD} && systemctl daemon-reload && systemctl reset-failed ${UNIT}; systemctl start ${UNIT}`;
    await this.#host.must(['sh', '-c', start]);
  }

  /** Names of every unit below `fraisier-` that systemd knows, the agent's own left out. */
  async transientUnits(): Promise<readonly string[]> {
    const list = ['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'fraisier-*'] as const;
    const names = (await this.#host.must(list)).split('\n').map((line) => line.trim().split(' ')[0] ?? '');
    return names.filter((name) => name !== '' && name !== UNIT);
  }

  async #kill(): Promise<void> {
    await this.#host.must(['systemctl', 'kill', '--kill-who=main', '--signal=KILL', UNIT]);
  }
}
