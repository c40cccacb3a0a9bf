import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../simulator/random.js';
import { UNIT } from '../agent-unit.js';
import type { Fleet } from '../fleet.js';
import type { Host } from '../lab/host.js';

const VICTIMS = ['controller', 'agent', 'agent', 'database'] as const;
export type Victim = (typeof VICTIMS)[number];

/** What happened to the parts of the cluster. */
export interface Deaths {
  readonly kills: Readonly<Record<Victim, number>>;
  /** Controllers that could not start, as the database was away, and were started again. */
  readonly startsInVain: number;
  /** The last words of controllers that had been ready and ended by themselves. */
  readonly endedThemselves: readonly string[];
}

/** Kills a controller, an agent or the database every few seconds until `over`; then brings back whatever is down. */
export async function keepKilling(fleet: Fleet, random: Random, over: AbortSignal): Promise<Deaths> {
  const kills = { controller: 0, agent: 0, database: 0 };
  const lives = fleet.controllers.map((_, index) => new ControllerLife(fleet, index));
  const healed = new AbortController();
  const watched = lives.map((life) => life.keep(healed.signal));
  try {
    while (!over.aborted) {
      const victim = random.pick(VICTIMS);
      if (await kill({ fleet, random, lives }, victim)) kills[victim] += 1;
      await sleep(random.whole(1_000, 4_000), undefined, { signal: over }).catch(() => undefined);
    }
    for (const life of lives) await life.ready();
  } finally {
    healed.abort();
    await Promise.all(watched);
  }
  return {
    kills,
    startsInVain: lives.reduce((sum, { startsInVain }) => sum + startsInVain, 0),
    endedThemselves: lives.flatMap(({ endedThemselves }) => endedThemselves),
  };
}

interface Targets {
  readonly fleet: Fleet;
  readonly random: Random;
  readonly lives: readonly ControllerLife[];
}

/** SIGKILL to one of them; false when that one is down already. */
async function kill({ fleet, random, lives }: Targets, victim: Victim): Promise<boolean> {
  switch (victim) {
    case 'controller':
      return random.pick(lives).kill(random.whole(0, 4_000));
    case 'agent':
      return killAgent(fleet.server(random.pick(fleet.servers)));
    case 'database':
      return fleet.database.kill9();
  }
}

async function killAgent(host: Host): Promise<boolean> {
  const kill = ['systemctl', 'kill', '--kill-who=main', '--signal=KILL', UNIT] as const;
  const { code, stderr } = await host.exec(kill);
  if (code === 0) return true;
  if (/no (?:main )?process/i.test(stderr)) return false;
  throw new Error(`the agent on ${host.name} cannot be killed: ${stderr}`);
}

/** One controller, started again whenever it is gone, as its unit would be. */
class ControllerLife {
  startsInVain = 0;
  readonly endedThemselves: string[] = [];
  readonly #fleet: Fleet;
  readonly #index: number;
  #wasReady = true;
  #kills = 0;
  #downUntil = 0;

  constructor(fleet: Fleet, index: number) {
    this.#fleet = fleet;
    this.#index = index;
  }

  /** SIGKILL; it stays down for some time. False when it is down already. */
  async kill(downForMs: number): Promise<boolean> {
    if (!this.#controller.running) return false;
    this.#kills += 1;
    this.#wasReady = false;
    this.#downUntil = Date.now() + downForMs;
    await this.#controller.kill9();
    return true;
  }

  async keep(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      if (!this.#controller.running && Date.now() >= this.#downUntil) await this.#startAgain();
      await sleep(100, undefined, { signal: until }).catch(() => undefined);
    }
  }

  async ready(): Promise<void> {
    this.#downUntil = 0;
    while (!this.#controller.running || !this.#wasReady) await sleep(100);
  }

  get #controller() {
    return this.#fleet.controllers[this.#index] as Fleet['controller'];
  }

  async #startAgain(): Promise<void> {
    if (this.#wasReady) this.endedThemselves.push(await this.#controller.logTail());
    this.#wasReady = false;
    const kills = this.#kills;
    this.#controller.launch();
    const ready = await this.#controller.ready().then(
      () => true,
      () => false,
    );
    // It may have been killed while it started.
    if (this.#kills > kills) return;
    this.#wasReady = ready;
    if (!ready) this.startsInVain += 1;
  }
}
