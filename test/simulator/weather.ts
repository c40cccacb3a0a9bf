import { FAULTS, FAULT_NAMES, type FaultName, type FaultParts } from './faults.js';
import type { Random } from './random.js';

/** How often, on average, each kind of fault comes; null: never. */
export interface Weather {
  readonly meanMs: Readonly<Record<FaultName, number | null>>;
  /** How often one of them comes just when a command of a plan has begun. */
  readonly ambush: number;
}

/** Some seeds are calm, some have one kind of fault only, most have several, each at a pace of its own. */
export function drawWeather(random: Random): Weather {
  const calm = random.chance(0.05);
  const meanMs = Object.fromEntries(
    FAULT_NAMES.map((name) => {
      const isOn = !calm && random.chance(0.5);
      return [name, isOn ? random.pick([60_000, 180_000, 600_000, 1_800_000]) : null];
    }),
  );
  return { meanMs: meanMs as Weather['meanMs'], ambush: calm ? 0 : random.pick([0, 0.02, 0.08]) };
}

/** What goes wrong in one seed, while it does. */
export interface Faults {
  /** Something has just happened on this host: the best moment for a fault, so many times as often as else. */
  readonly lurk: (host: string, often: number) => void;
  /** No new ones come; each that lasts heals by itself. */
  readonly stop: () => void;
}

export function beginFaults(parts: FaultParts, weather: Weather): Faults {
  const random = parts.random.fork('faults');
  const possible = FAULT_NAMES.filter((name) => weather.meanMs[name] !== null);
  let over = false;
  for (const name of FAULT_NAMES) {
    const meanMs = weather.meanMs[name];
    if (meanMs === null) continue;
    const own = random.fork(name);
    const next = (): void => {
      if (over) return;
      FAULTS[name](parts, own, own.pick(parts.cluster.hosts));
      parts.schedule.after(own.pause(meanMs), next);
    };
    parts.schedule.after(own.pause(meanMs), next);
  }
  const lurking = random.fork('lurking');
  const lurk = (name: string, often: number): void => {
    const host = parts.cluster.hosts.find((one) => one.name === name);
    if (over || host === undefined || possible.length === 0 || !lurking.chance(weather.ambush * often))
      return;
    const fault = lurking.pick(possible);
    parts.schedule.after(lurking.whole(0, lurking.pick([40, 3_000])), () =>
      FAULTS[fault](parts, lurking, host),
    );
  };
  const stop = (): void => {
    over = true;
  };
  return { lurk, stop };
}
