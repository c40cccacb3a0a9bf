import { join } from 'node:path';
import type { UnitFileChange } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { compareLines } from './compare-lines.js';
import { findUnit, listOurs } from './installed-units.js';
import type { UnitFile } from './job-units.js';

/** A unit whose file is to be written, changed or removed. */
export interface UnitChange {
  readonly unit: string;
  readonly change: 'A' | 'M' | 'D';
  /** As `compareLines` gives them. */
  readonly lines: readonly string[];
}

/** What putting exactly these files in place does to systemd's folder. Reads only. */
export interface UnitChanges {
  readonly changes: readonly UnitChange[];
  /** Files of others that stand in the way. One of others that says the same is left alone. */
  readonly foreign: readonly string[];
}

/** Compares the files with those that are there. */
export async function unitChanges(
  target: Target,
  files: readonly UnitFile[],
  unitFolder: string,
): Promise<UnitChanges> {
  const changes: UnitChange[] = [];
  const foreign: string[] = [];
  for (const { unit, text } of files) {
    const found = await findUnit(unitFolder, unit, target);
    const before = found.is === 'absent' ? '' : found.text;
    if (found.is !== 'absent' && before === text) continue;
    if (found.is === 'foreign') foreign.push(unit);
    else changes.push({ unit, change: found.is === 'absent' ? 'A' : 'M', lines: compareLines(before, text) });
  }
  const wanted = new Set(files.map(({ unit }) => unit));
  const ours = (await listOurs(unitFolder, target)).filter((unit) => !wanted.has(unit));
  return {
    changes: [...changes, ...ours.map((unit) => ({ unit, change: 'D', lines: [] }) as const)],
    foreign,
  };
}

/** As the answer to a preview says it. */
export function onWire(changes: readonly UnitChange[], unitFolder: string): UnitFileChange[] {
  return changes.map(({ unit, change, lines }) => ({ path: join(unitFolder, unit), change, lines }));
}
