import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { failed } from './ends.js';
import type { FailedEnd } from './ends.js';
import type { RunGit } from './git.js';
import { findUnit } from './installed-units.js';
import { filesInCommit, unitsOf } from './job-units.js';
import type { JobUnit, UnitFile } from './job-units.js';
import type { Systemd } from './step.js';
import { unitChanges } from './unit-changes.js';
import type { UnitChange } from './unit-changes.js';

/** What looking at the units of jobs needs. */
export interface UnitsPorts {
  readonly target: Target;
  readonly systemd: Systemd | null;
  readonly git: RunGit;
  readonly mirror: string;
}

/** The units of a commit that can be put in place, or why they cannot. */
export type CheckedUnits =
  | { readonly problem: FailedEnd }
  | {
      readonly problem: null;
      readonly files: readonly UnitFile[];
      readonly changes: readonly UnitChange[];
      readonly systemd: Systemd;
    };

/** Looks whether every unit of the target's jobs is in the commit or on the host, before anything is done. Reads only. */
export async function checkUnits(commit: string, ports: UnitsPorts): Promise<CheckedUnits> {
  const { target, systemd, git, mirror } = ports;
  if (systemd === null) return { problem: noSystemd() };
  const { files, missing } = await filesInCommit(target, commit, git, mirror);
  const { changes, foreign } = await unitChanges(target, files, systemd.unitFolder);
  const own = unitsOf(target).filter(({ unit }) => !files.some((file) => file.unit === unit));
  const problem =
    notInCommit(missing, commit) ??
    inTheWay(foreign, systemd) ??
    (await notOnHost(own, target, systemd)) ??
    (changes.length === 0 ? null : await notWritable(systemd));
  return problem === null ? { problem, files, changes, systemd } : { problem };
}

/** The end of a step that needs systemd's timers on a host that has none. */
export function noSystemd(): FailedEnd {
  return failed('preflight_failed', 'there is no systemd on this host, so nothing starts the jobs', {
    hint: 'deploy fraises of type scheduled to hosts with systemd',
  });
}

function notInCommit(missing: readonly JobUnit[], commit: string): FailedEnd | null {
  const [first] = missing;
  if (first === undefined) return null;
  return failed('unknown_unit', `${first.path}, the file of ${first.unit}, is not in the commit ${commit}`, {
    hint: 'commit it, or correct service_file and timer_file',
    facts: { unit: first.unit, path: first.path },
  });
}

function inTheWay([first]: readonly string[], { unitFolder }: Systemd): FailedEnd | null {
  if (first === undefined) return null;
  const file = join(unitFolder, first);
  return failed(
    'preflight_failed',
    `${file} is there, says something else, and is not Fraisier's to change`,
    {
      hint: `move it away: sudo mv ${file} ${file}.before-fraisier`,
      facts: { unit: first },
    },
  );
}

/** One of ours that came with a release before is no longer there once this one is put in place. */
async function notOnHost(
  own: readonly JobUnit[],
  target: Target,
  systemd: Systemd,
): Promise<FailedEnd | null> {
  for (const { unit, path } of own) {
    const ours = (await findUnit(systemd.unitFolder, unit, target)).is === 'ours';
    const { LoadState: state = '' } = ours ? { LoadState: 'gone' } : await systemd.show(unit, ['LoadState']);
    if (state === 'loaded') continue;
    const known = state === '' ? 'systemd did not answer' : `systemd says ${state}`;
    const nor = path === '' ? '' : `, nor ${path} in the commit`;
    const why = ours ? 'the file that an earlier release brought is no longer in the commit' : known;
    return failed('unknown_unit', `there is no unit ${unit} on this host (${why})${nor}`, {
      hint: `put it into the repository (units, service_file, timer_file), or into ${join(systemd.unitFolder, unit)}`,
      facts: { unit, load_state: state },
    });
  }
  return null;
}

async function notWritable({ unitFolder }: Systemd): Promise<FailedEnd | null> {
  return access(unitFolder, constants.W_OK).then(
    () => null,
    () =>
      failed('preflight_failed', `the agent cannot write unit files to ${unitFolder}`, {
        hint: 'run the agent as root: sudo fraisier agent install; or leave the unit files to the host',
      }),
  );
}
