import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandEnd, Systemd } from '../../../agent/steps/step.js';

type Properties = Record<string, string>;

/** systemd over a folder of unit files: it knows a unit once its file was there at a reload. */
export interface UnitSystemd extends Systemd {
  readonly unitFolder: string;
  /** What it was told to do, in order. */
  readonly asked: string[];
  /** What it says of a unit beyond what follows from its file and from what it was told. */
  readonly says: Map<string, Properties>;
  /** Acts that fail, e.g. `enable a.timer`. */
  readonly fails: Set<string>;
  /** Writes a unit of the host's own, known at once. */
  readonly addOwn: (unit: string, text?: string) => Promise<void>;
  /** The text of a unit file; null when there is none. */
  readonly text: (unit: string) => string | null;
}

export async function aUnitSystemd(folder: string): Promise<UnitSystemd> {
  const unitFolder = join(folder, 'systemd');
  await mkdir(unitFolder, { recursive: true });
  const loaded = new Map<string, string>();
  const active = new Set<string>();
  const asked: string[] = [];
  const says = new Map<string, Properties>();
  const fails = new Set<string>();
  const text = (unit: string) => {
    const file = join(unitFolder, unit);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  };
  const act = async (verb: string, unit: string, effect: () => void): Promise<CommandEnd> => {
    const line = `${verb} ${unit}`.trim();
    asked.push(line);
    if (fails.has(line)) return { ended: 'exited', exitCode: 1, output: `${line} did not work\n` };
    effect();
    return { ended: 'exited', exitCode: 0, output: '' };
  };
  const show = (unit: string): Properties => {
    const known = loaded.has(unit);
    const never = loaded.get(unit)?.includes('never') ?? false;
    return {
      LoadState: known ? 'loaded' : 'not-found',
      ActiveState: active.has(unit) ? 'active' : 'inactive',
      SubState: active.has(unit) ? 'waiting' : 'dead',
      UnitFileState: known ? 'enabled' : '',
      NextElapseUSecRealtime: active.has(unit) && !never ? 'Thu 2099-01-01 00:00:00 UTC' : '',
      NextElapseUSecMonotonic: 'infinity',
      Result: 'success',
      ...says.get(unit),
    };
  };
  const reload = () => {
    for (const unit of loaded.keys()) if (text(unit) === null && !active.has(unit)) loaded.delete(unit);
    for (const unit of UNITS) {
      const found = text(unit);
      if (found !== null) loaded.set(unit, found);
    }
  };
  return {
    unitFolder,
    asked,
    says,
    fails,
    text,
    addOwn: async (unit, own = '[Unit]\n') => {
      await writeFile(join(unitFolder, unit), own);
      loaded.set(unit, own);
    },
    show: async (unit, properties) => {
      const shown = show(unit);
      return Object.fromEntries(properties.map((property) => [property, shown[property] ?? '']));
    },
    restart: (unit) => act('restart', unit, () => active.add(unit)),
    start: (unit) => act('start', unit, () => active.add(unit)),
    stop: (unit) => act('stop', unit, () => active.delete(unit)),
    enable: (unit) => act('enable', unit, () => undefined),
    disable: (unit) => act('disable', unit, () => undefined),
    resetFailed: (unit) => act('reset-failed', unit, () => says.delete(unit)),
    daemonReload: () => act('daemon-reload', '', reload),
    journalTail: async () => '',
  };
}

/** Those that tests use: systemd looks for a unit by its name. */
const UNITS = ['a', 'b', 'c'].flatMap((name) => [`${name}.service`, `${name}.timer`]);
