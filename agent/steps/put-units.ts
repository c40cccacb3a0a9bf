import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, failed } from './ends.js';
import { isOk } from './git.js';
import { findUnit, isOfFraisier, readInstalled, withHeader, writeInstalled } from './installed-units.js';
import type { InstalledUnits } from './installed-units.js';
import { timersOf, unitsOf } from './job-units.js';
import type { UnitFile } from './job-units.js';
import { syncFolder } from './release-layout.js';
import type { StepContext, StepEnd, Systemd } from './step.js';
import { unitChanges } from './unit-changes.js';
import type { UnitChange } from './unit-changes.js';
import { writeWhole } from './write-file.js';

type Ports = Pick<StepContext, 'stateFolder' | 'signal' | 'log'> & { readonly systemd: Systemd };

/**
 * Makes systemd's folder hold exactly these files of ours, and systemd know it. Timers that go, or whose file changes, are
 * stopped before; services are left running. May be broken off anywhere and done again. Returns what it changed.
 */
export async function putInPlace(
  wanted: InstalledUnits,
  target: Target,
  ports: Ports,
): Promise<readonly UnitChange[] | StepEnd> {
  const { systemd, stateFolder, signal } = ports;
  const { changes, foreign } = await unitChanges(target, wanted.files, systemd.unitFolder);
  if (foreign.length > 0)
    return failed('preflight_failed', `${foreign.join(', ')}: the files there are not Fraisier's to change`);
  const stopped = await stopTimers(wanted, changes, target, ports);
  if (stopped !== null) return stopped;
  for (const change of changes) await applyChange(change, wanted.files, target, systemd);
  await syncFolder(systemd.unitFolder);
  const reloaded = await systemd.daemonReload(signal);
  if (!isOk(reloaded)) return endOfCommand(reloaded, 'systemctl daemon-reload', 'activate_failed');
  const unknown = await notLoaded(wanted, systemd);
  if (unknown !== null) return unknown;
  await writeInstalled(stateFolder, target, wanted);
  return changes;
}

/** Removes everything of ours; for the end of a first release that failed. Null when it went well. */
export async function removeOurs(target: Target, ports: Ports): Promise<StepEnd | null> {
  const { changes } = await unitChanges(target, [], ports.systemd.unitFolder);
  for (const change of changes) await applyChange(change, [], target, ports.systemd);
  await syncFolder(ports.systemd.unitFolder);
  const reloaded = await ports.systemd.daemonReload(ports.signal);
  return isOk(reloaded) ? null : endOfCommand(reloaded, 'systemctl daemon-reload', 'activate_failed');
}

async function applyChange(
  { unit, change }: UnitChange,
  files: readonly UnitFile[],
  target: Target,
  { unitFolder }: Systemd,
): Promise<void> {
  const text = files.find((file) => file.unit === unit)?.text ?? '';
  if (change === 'D') await rm(join(unitFolder, unit), { force: true });
  else await writeWhole(join(unitFolder, unit), withHeader(target, text), 0o644);
}

/** Those that are not wanted any more are also not started at boot; those that change are started anew afterwards. */
async function stopTimers(
  wanted: InstalledUnits,
  changes: readonly UnitChange[],
  target: Target,
  ports: Ports,
): Promise<StepEnd | null> {
  const before = (await readInstalled(ports.stateFolder, target))?.jobs ?? [];
  const kept = timersOf(wanted.jobs);
  const going = [...new Set(timersOf([...before, ...target.jobs]))].filter((timer) => !kept.includes(timer));
  for (const timer of going) {
    const problem = await stopForGood(timer, target, ports);
    if (problem !== null) return problem;
  }
  const changed = changes.filter(({ unit, change }) => change === 'M' && kept.includes(unit));
  for (const { unit } of changed) {
    const end = await ports.systemd.stop(unit, ports.signal);
    if (!isOk(end)) return endOfCommand(end, `stopping ${unit}`, 'timer_failed');
  }
  return null;
}

/** Stops a timer and takes it out of the boot. One that systemd does not know needs neither; null when it went well. */
export async function stopForGood(
  timer: string,
  target: Target,
  { systemd, signal, log }: Ports,
): Promise<StepEnd | null> {
  if ((await systemd.show(timer, ['LoadState']))['LoadState'] !== 'loaded') return null;
  const found = await findUnit(systemd.unitFolder, timer, target);
  if (found.is === 'foreign' && isOfFraisier(found.text)) return null;
  for (const act of ['stop', 'disable'] as const) {
    const end = await systemd[act](timer, signal);
    if (!isOk(end)) return endOfCommand(end, `systemctl ${act} ${timer}`, 'timer_failed');
  }
  await log(`${timer} is stopped and disabled`);
  return null;
}

async function notLoaded({ jobs, files }: InstalledUnits, systemd: Systemd): Promise<StepEnd | null> {
  for (const { unit } of unitsOf({ jobs: [...jobs], units: '' })) {
    const shown = await systemd.show(unit, ['LoadState', 'LoadError']);
    const { LoadState: state = '', LoadError: why = '' } = shown;
    if (state === 'loaded') continue;
    const brought = files.some((file) => file.unit === unit) ? ', which came with the release' : '';
    const said = `systemd does not take ${unit}${brought}: ${state} ${why}`.trim();
    return failed('unknown_unit', said, {
      hint: `on the host: systemd-analyze verify ${unit}`,
      facts: { unit, load_state: state },
    });
  }
  return null;
}
