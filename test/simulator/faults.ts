import type { Chronicle } from './chronicle.js';
import type { Cluster } from './cluster.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';
import type { SimulatedHost } from './simulated-host.js';

/** Everything that can go wrong. What lasts heals by itself. */
export const FAULTS = {
  controllerCrash,
  controllerRestart,
  agentCrash,
  agentRestart,
  powerCut,
  lonelyRestart,
  networkCut,
  slowNetwork,
  slowDisk,
  fullDisk,
  clockStep,
  databaseAway,
  slowDatabase,
  longAway,
} as const satisfies Record<string, (parts: FaultParts, random: Random, host: SimulatedHost) => void>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

export interface FaultParts {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly cluster: Cluster;
  readonly chronicle: Chronicle;
}

function controllerCrash({ cluster, schedule }: FaultParts, random: Random): void {
  const name = random.pick([...cluster.controllers.keys()]);
  const controller = cluster.controllers.get(name);
  if (controller !== undefined) cluster.killController(controller);
  schedule.after(shortOrLong(random), () => cluster.startController(name));
}

/** SIGTERM, as when it is upgraded; what it does not get done in time is cut off. */
function controllerRestart({ cluster, schedule, chronicle }: FaultParts, random: Random): void {
  const name = random.pick([...cluster.controllers.keys()]);
  const controller = cluster.controllers.get(name);
  if (controller?.life.alive !== true) return;
  chronicle.tell(name, 'controller told to stop');
  const again = (): void => {
    cluster.killController(controller);
    schedule.after(random.whole(100, 5_000), () => cluster.startController(name));
  };
  const late = schedule.after(10_000, again);
  void controller.stop().then(() => {
    late();
    again();
  });
}

function agentCrash({ cluster, schedule }: FaultParts, random: Random, host: SimulatedHost): void {
  cluster.killAgent(host);
  schedule.after(shortOrLong(random), () => cluster.startAgent(host));
}

/** SIGTERM, and the unit's next start when it has ended. */
function agentRestart(
  { cluster, schedule, chronicle }: FaultParts,
  random: Random,
  host: SimulatedHost,
): void {
  chronicle.tell(host.name, 'agent told to stop');
  cluster.agents.get(host.name)?.stop();
  const again = (): void => {
    if (cluster.agents.get(host.name)?.over === false) schedule.after(1_000, again);
    else cluster.startAgent(host);
  };
  schedule.after(random.whole(100, 5_000), again);
}

function powerCut({ cluster, schedule }: FaultParts, random: Random, host: SimulatedHost): void {
  if (!host.powered) return;
  cluster.powerCut(host);
  schedule.after(random.whole(10_000, 60_000) + shortOrLong(random), () => cluster.powerOn(host));
}

/** The agent is killed and comes back to a host that reaches no controller for a while. */
function lonelyRestart(
  { cluster, schedule, chronicle }: FaultParts,
  random: Random,
  host: SimulatedHost,
): void {
  chronicle.tell('network', `cut: all of ${host.name}`);
  const heals = [...cluster.controllers.keys()].map((name) => cluster.network.cut(host.name, name));
  cluster.killAgent(host);
  const awayMs = random.whole(1_000, 300_000);
  schedule.after(awayMs, () => cluster.startAgent(host));
  schedule.after(awayMs + random.whole(0, 120_000), () => {
    chronicle.tell('network', `healed: all of ${host.name}`);
    for (const heal of heals) heal();
  });
}

/** One line, a host's whole network, or a controller's. */
function networkCut(
  { cluster, schedule, chronicle }: FaultParts,
  random: Random,
  { name: host }: SimulatedHost,
): void {
  const controllers = [...cluster.controllers.keys()];
  const controller = random.pick(controllers);
  const hosts = cluster.hosts.map(({ name }) => name);
  const dice = random.next();
  const lines =
    dice < 0.4
      ? [[host, controller] as const]
      : dice < 0.7
        ? controllers.map((one) => [host, one] as const)
        : hosts.map((one) => [one, controller] as const);
  const heals = lines.map(([one, other]) => cluster.network.cut(one, other));
  const what = lines.map((line) => line.join('–')).join(' ');
  chronicle.tell('network', `cut: ${what}`);
  schedule.after(shortOrLong(random), () => {
    chronicle.tell('network', `healed: ${what}`);
    for (const heal of heals) heal();
  });
}

/** A host without network for so long that people deploy without it. */
function longAway({ cluster, schedule, chronicle }: FaultParts, random: Random, host: SimulatedHost): void {
  chronicle.tell('network', `cut for long: all of ${host.name}`);
  const heals = [...cluster.controllers.keys()].map((name) => cluster.network.cut(host.name, name));
  schedule.after(random.whole(120_000, 480_000), () => {
    chronicle.tell('network', `healed: all of ${host.name}`);
    for (const heal of heals) heal();
  });
}

function slowNetwork({ cluster, schedule }: FaultParts, random: Random): void {
  const { network } = cluster;
  network.slowness = { least: 50, most: random.whole(200, 5_000) };
  schedule.after(shortOrLong(random), () => {
    network.slowness = { least: 0, most: 40 };
  });
}

function slowDisk({ schedule }: FaultParts, random: Random, host: SimulatedHost): void {
  const { disk } = host;
  disk.slowness = { least: 20, most: random.whole(100, 4_000) };
  schedule.after(shortOrLong(random), () => {
    disk.slowness = { least: 0, most: 25 };
  });
}

function fullDisk({ schedule, chronicle }: FaultParts, random: Random, host: SimulatedHost): void {
  const { disk, name } = host;
  chronicle.tell(name, 'disk full');
  disk.full = true;
  schedule.after(shortOrLong(random), () => {
    chronicle.tell(name, 'disk has room');
    disk.full = false;
  });
}

function clockStep({ chronicle }: FaultParts, random: Random, host: SimulatedHost): void {
  host.clockOffMs = random.whole(-3_600_000, 3_600_000);
  chronicle.tell(host.name, `clock off by ${host.clockOffMs} ms`);
}

function databaseAway({ cluster, schedule, chronicle }: FaultParts, random: Random): void {
  const { database } = cluster;
  chronicle.tell('database', 'away');
  database.goAway();
  schedule.after(shortOrLong(random), () => {
    if (random.chance(0.3)) database.clockOffMs = random.whole(-1_500, 1_500);
    chronicle.tell('database', `back, its clock off by ${database.clockOffMs} ms`);
    database.comeBack();
  });
}

/** Slow, and its connections break; wake-ups get lost. */
function slowDatabase({ cluster, schedule, chronicle }: FaultParts, random: Random): void {
  const { database } = cluster;
  chronicle.tell('database', 'in trouble');
  database.slowness = { least: 1, most: random.whole(5, 300) };
  database.troubles = { aborted: random.next() / 5, answerLost: random.next() / 5, wakeLost: random.next() };
  schedule.after(shortOrLong(random), () => {
    chronicle.tell('database', 'well');
    database.slowness = { least: 0, most: 8 };
    database.troubles = { aborted: 0, answerLost: 0, wakeLost: 0 };
  });
}

function shortOrLong(random: Random): number {
  return random.chance(0.7) ? random.whole(100, 20_000) : random.whole(20_000, 240_000);
}
