import { Chronicle, type Fault } from './chronicle.js';
import { Cluster } from './cluster.js';
import { beginFaults, drawWeather } from './weather.js';
import { stillGoingOn, untrue } from './invariants/end.js';
import type { LedgerState } from './ledger-state.js';
import { Onlooker } from './onlooker.js';
import { People } from './people.js';
import { Random } from './random.js';
import { Schedule } from './schedule.js';
import { drawWorld } from './world.js';

/** What became of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** The same for every telling of the same seed. */
  readonly digest: string;
  readonly virtualMs: number;
  readonly deployments: Readonly<Record<string, number>>;
}

const LIFE_MS = { least: 8 * 60_000, most: 30 * 60_000 };
const PEOPLE_PAUSE_MS = 25_000;
/** From the end of all faults to quiet: more than every limit of a deployment one after the other. */
const QUIET_WITHIN_MS = 4 * 3_600_000;
const LOOK_MS = 30_000;

export interface Telling {
  /** Gets every line of the story. */
  readonly say?: (line: string) => void;
  /** How long people and faults are at work; otherwise drawn. */
  readonly lifeMs?: number;
}

/** Tells one seed from its beginning to quiet, or to the first fault. */
export async function simulate(seed: number, { say, lifeMs }: Telling = {}): Promise<Outcome> {
  const random = new Random(String(seed));
  const schedule = new Schedule();
  const chronicle = new Chronicle(schedule, say ?? null);
  const drawnMs = random.whole(LIFE_MS.least, LIFE_MS.most);
  const world = drawWorld(random.fork('world'), lifeMs ?? drawnMs);
  const hosts = () => cluster.hosts;
  const onlooker = new Onlooker(chronicle, { hosts, software: world.software, state });
  const cluster: Cluster = new Cluster({ schedule, random, world, chronicle, witness: onlooker });
  const unhandled = (error: unknown): void => chronicle.fault(`nobody took ${String(error)}`, error);
  process.on('unhandledRejection', unhandled);
  try {
    await cluster.start();
    await live();
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  return {
    seed,
    faults: chronicle.faults,
    digest: chronicle.digest(),
    virtualMs: schedule.nowMs,
    deployments: counted(cluster.database.memory.state()),
  };

  async function live(): Promise<void> {
    const { acknowledged } = onlooker;
    const people = new People({ schedule, random, world, cluster, chronicle, acknowledged });
    people.begin(PEOPLE_PAUSE_MS);
    const faults = beginFaults({ schedule, random, cluster, chronicle }, drawWeather(random.fork('weather')));
    onlooker.lurk = faults.lurk;
    await pass(world.lifeMs);
    people.leave();
    faults.stop();
    chronicle.tell('all', 'no more faults, no more wishes');
    for (const until = schedule.nowMs + QUIET_WITHIN_MS; !found() && schedule.nowMs < until;) {
      await pass(LOOK_MS);
      if (stillGoingOn(cluster, world, state()).length === 0) break;
    }
    if (found()) return;
    acknowledged.check();
    for (const what of stillGoingOn(cluster, world, state()))
      chronicle.fault(`not quiet in the end: ${what}`);
    for (const what of untrue(cluster, world, state())) chronicle.fault(what);
  }

  function pass(ms: number): Promise<void> {
    return schedule.run(schedule.nowMs + ms, () => {
      onlooker.check();
      return found();
    });
  }

  function found(): boolean {
    return chronicle.faults.length > 0;
  }

  function state(): LedgerState {
    return cluster.database.memory.state();
  }
}

function counted({ deployments }: LedgerState): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status } of deployments) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
