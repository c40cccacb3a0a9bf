import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Job, UnitFiles } from '../../proto/gen/fraisier/v1/plan.js';
import { checkUnits, noSystemd } from './check-units.js';
import type { UnitsPorts } from './check-units.js';
import { repositoryOf } from './checkout.js';
import { endOfDiskError, failed, succeeded } from './ends.js';
import { mirrorFolder } from './git.js';
import { putInPlace } from './put-units.js';
import { findUnit, readInstalledFor } from './installed-units.js';
import { filesInCommit, unitsOf } from './job-units.js';
import type { UnitFile } from './job-units.js';
import { fullUnitName, mayInstallUnit, policyReason } from './policy-rules.js';
import { isCommit } from './release-layout.js';
import type { RunStep, StepContext, StepEnd, Systemd } from './step.js';
import type { UnitChange } from './unit-changes.js';

/** Looks at the units of a release's jobs, or puts them in place. */
export const unitFiles: RunStep<UnitFiles> = async (spec, context) => {
  // It becomes part of a path.
  if (!isCommit(spec.commit)) return failed('activate_failed', `"${spec.commit}" is not a full commit`);
  try {
    return spec.check ? await check(spec.commit, context) : await install(spec, context);
  } catch (error) {
    return endOfDiskError(error, 'the unit files', 'activate_failed');
  }
};

async function portsOf({ target, systemd, stateFolder, command }: StepContext): Promise<UnitsPorts> {
  const mirror = mirrorFolder(stateFolder, await repositoryOf(target));
  return { target, systemd, git: command, mirror };
}

async function check(commit: string, context: StepContext): Promise<StepEnd> {
  const found = await checkUnits(commit, await portsOf(context));
  if (found.problem !== null) return found.problem;
  for (const change of found.changes) await logChange(change, found.systemd, context);
  const problem = await verify(found.files, context);
  return problem ?? succeeded({ summary: summaryOf(found.changes) });
}

async function logChange(
  { unit, change, lines }: UnitChange,
  { unitFolder }: Systemd,
  context: StepContext,
): Promise<void> {
  await context.log([`${change} ${join(unitFolder, unit)}`, ...lines].join('\n'));
}

function summaryOf(changes: readonly UnitChange[]): string {
  if (changes.length === 0) return 'the unit files are as they are installed';
  return changes.map(({ change, unit }) => `${change} ${unit}`).join(', ');
}

/** What systemd refuses in a unit, as `systemd-analyze verify` words it; what it only passes over is in the log. */
const REFUSED =
  /refusing|failed to parse|missing '='|outside of section|bad unit file|fatal error|failed to load|has no exec/i;

/** Asks systemd about the files before they are its own. Programs that are not there yet are not asked about. */
async function verify(files: readonly UnitFile[], context: StepContext): Promise<StepEnd | null> {
  if (files.length === 0) return null;
  const folder = await mkdtemp(join(context.stateFolder, 'verify-units-'));
  try {
    for (const { unit, text } of files) await writeFile(join(folder, unit), text);
    const paths = files.map(({ unit }) => join(folder, unit));
    const line = 'exec systemd-analyze verify --man=no "$@" 2>&1';
    const end = await context.command({ argv: ['/bin/sh', '-c', line, 'verify', ...paths], capture: true });
    const said = end.ended === 'exited' ? end.output.replaceAll(`${folder}/`, '').trimEnd() : '';
    if (said !== '') await context.log(said);
    const refused = said.split('\n').find((one) => REFUSED.test(one));
    if (refused === undefined) return null;
    return failed('unknown_unit', `systemd does not take a unit file of the commit: ${refused.trim()}`, {
      hint: 'see the log of this step, correct the file and commit it',
      facts: { output: refused.trim() },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Wanted {
  readonly jobs: readonly Job[];
  readonly files: readonly UnitFile[];
}

async function install({ commit, restore }: UnitFiles, context: StepContext): Promise<StepEnd> {
  const { systemd, target } = context;
  if (systemd === null) return noSystemd();
  const wanted = restore ? await asItWas(commit, systemd, context) : await asPlanned(commit, context);
  if ('outcome' in wanted) return wanted;
  const refused = policyReason(
    context.policy,
    wanted.files.map(({ unit }) => mayInstallUnit(context.policy, unit)).filter((one) => one !== null),
  );
  if (refused !== null) return { outcome: Outcome.FAILED, reason: refused };
  const done = await putInPlace({ ...wanted, commit }, target, { ...context, systemd });
  return 'outcome' in done ? done : succeeded({ summary: summaryOf(done) });
}

async function asPlanned(commit: string, context: StepContext): Promise<Wanted | StepEnd> {
  const found = await checkUnits(commit, await portsOf(context));
  return found.problem ?? { jobs: context.target.jobs, files: found.files };
}

/** What was in place when the release was live; where that is not known, the jobs whose units there still are. */
async function asItWas(commit: string, systemd: Systemd, context: StepContext): Promise<Wanted> {
  const { target, stateFolder } = context;
  const known = await readInstalledFor(stateFolder, target, commit);
  if (known !== null) return known;
  const { git, mirror } = await portsOf(context);
  const { files } = await filesInCommit(target, commit, git, mirror);
  const there = new Set(files.map(({ unit }) => unit));
  for (const { unit } of unitsOf(target).filter((one) => !there.has(one.unit))) {
    const ours = (await findUnit(systemd.unitFolder, unit, target)).is === 'ours';
    if (!ours && (await systemd.show(unit, ['LoadState']))['LoadState'] === 'loaded') there.add(unit);
  }
  const whole = ({ service, timer }: Job) => [service, timer].every((name) => there.has(fullUnitName(name)));
  return { jobs: target.jobs.filter(whole), files };
}
