import type { Configuration } from '../../controller/fraises/fraises.js';
import { AgentProcess } from './agent-process.js';
import type { Chronicle } from './chronicle.js';
import { ControllerProcess } from './controller-process.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';
import { SimulatedDatabase } from './simulated-database.js';
import { SimulatedHost, type Witness } from './simulated-host.js';
import { SimulatedNetwork, type Eavesdropper } from './simulated-network.js';
import type { World } from './world.js';

/** Where virtual time begins. */
export const NOON = Date.parse('2026-05-01T12:00:00Z');

/** `RestartSec` of the agent's unit. */
const RESTART_MS = 5_000;

export interface ClusterParts {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly world: World;
  readonly chronicle: Chronicle;
  readonly witness: Witness & Eavesdropper;
}

/** Every machine of one seed with what runs on it, and what can be done to it. */
export class Cluster {
  readonly database: SimulatedDatabase;
  readonly network: SimulatedNetwork;
  readonly hosts: readonly SimulatedHost[];
  readonly agents = new Map<string, AgentProcess>();
  readonly controllers = new Map<string, ControllerProcess>();
  readonly #parts: ClusterParts;
  readonly #random: Random;
  readonly #parsed = new Map<number, Configuration>();
  #ids = 0;
  #starts = 0;

  constructor(parts: ClusterParts) {
    const { schedule, random, world, witness } = parts;
    this.#parts = parts;
    this.#random = random.fork('cluster');
    this.database = new SimulatedDatabase(schedule, random.fork('database'), NOON);
    this.network = new SimulatedNetwork(schedule, random.fork('network'), witness);
    const { software, kind } = world;
    this.hosts = world.hosts.map(
      (name) => new SimulatedHost(name, { schedule, random: random.fork(name), software, witness, kind }),
    );
  }

  /** By the clock of the database. */
  now(): Date {
    return this.database.now();
  }

  /** The configuration applied, every agent enrolled, everything started. */
  async start(): Promise<void> {
    const { world } = this.#parts;
    const { ledger } = this.database.memory;
    await ledger.insertConfiguration({
      text: world.configuration,
      fileName: 'fraises.yaml',
      appliedBy: 'local',
    });
    for (const host of this.hosts) {
      const certificateExpiresAt = new Date(NOON + 365 * 86_400_000);
      const zone = world.zones.get(host.name);
      const labels: Readonly<Record<string, string>> = zone === undefined ? {} : { zone };
      await ledger.enrolAgent({ name: host.name, labels, certificateSerial: '01', certificateExpiresAt });
      host.controllers = world.controllers;
    }
    for (const name of world.controllers) this.startController(name);
    for (const host of this.hosts) this.startAgent(host);
  }

  startController(name: string): void {
    if (this.controllers.get(name)?.life.alive === true) return;
    const { schedule, chronicle, world } = this.#parts;
    this.#tell(name, 'controller started');
    const around = {
      schedule,
      database: this.database,
      network: this.network,
      parsed: this.#parsed,
      newId: (prefix: string) => `${prefix}_${String((this.#ids += 1)).padStart(4, '0')}`,
      addresses: world.controllers,
      logTo: (line: string) => chronicle.logged(name, line),
    };
    this.controllers.set(name, new ControllerProcess(name, around));
  }

  killController({ name, life }: ControllerProcess): void {
    if (life.alive) this.#tell(name, 'controller killed');
    life.end(this.#random);
  }

  startAgent(host: SimulatedHost): void {
    if (!host.powered || this.agents.get(host.name)?.over === false) return;
    const { schedule, chronicle, world } = this.#parts;
    this.#tell(host.name, 'agent started');
    this.#starts += 1;
    const around = {
      schedule,
      random: this.#random.fork(`agent ${this.#starts}`),
      network: this.network,
      software: world.software,
      noon: NOON,
      logTo: (line: string) => chronicle.logged(host.name, line),
    };
    const startAgain = (): void => void schedule.after(RESTART_MS, () => this.startAgent(host));
    this.agents.set(host.name, new AgentProcess(host, this.#starts, around, startAgain));
  }

  killAgent({ name }: SimulatedHost): void {
    this.#tell(name, 'agent killed');
    this.agents.get(name)?.life.end(this.#random);
  }

  powerCut(host: SimulatedHost): void {
    this.#tell(host.name, 'power cut');
    this.agents.get(host.name)?.life.end(this.#random);
    host.powerCut();
  }

  powerOn(host: SimulatedHost): void {
    if (host.powered) return;
    this.#tell(host.name, 'power is back');
    host.powerOn();
    this.startAgent(host);
  }

  #tell(who: string, what: string): void {
    this.#parts.chronicle.tell(who, what);
  }
}
