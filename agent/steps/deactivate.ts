import { rm } from 'node:fs/promises';
import type { Deactivate } from '../../proto/gen/fraisier/v1/plan.js';
import { noSystemd as noTimers } from './check-units.js';
import { endOfCommand, endOfDiskError, succeeded } from './ends.js';
import { forgetInstalled, installedJobs } from './installed-units.js';
import { timersOf } from './job-units.js';
import { fullUnitName } from './policy-rules.js';
import { removeOurs, stopForGood } from './put-units.js';
import { kindOfCurrent, layoutOf, liveRelease, syncFolder } from './release-layout.js';
import { noSystemd } from './restart.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { takeProofBack } from './take-proof-back.js';

/**
 * A first release failed and there is none to go back to: its unit is stopped, `current` removed, and of a scheduled
 * fraise the timers and the unit files that came with it. A job that runs is left to its end.
 */
export const deactivate: RunStep<Deactivate> = async ({ systemdService, jobs }, context) => {
  try {
    const { systemdSocket } = context.target;
    return (
      // First: a connection to it would start the service again.
      (systemdSocket === '' ? null : await stopUnit(systemdSocket, context)) ??
      (systemdService === '' ? null : await stopUnit(fullUnitName(systemdService), context)) ??
      (jobs ? await stopJobs(context) : null) ??
      (await removeCurrent(context))
    );
  } catch (error) {
    return endOfDiskError(error, 'removing what the failed release brought', 'activate_failed');
  }
};

/** Null when it is stopped. */
async function stopUnit(unit: string, context: StepContext): Promise<StepEnd | null> {
  if (context.systemd === null) return noSystemd(unit);
  const end = await context.systemd.stop(unit, context.signal);
  return end.ended === 'exited' && end.exitCode === 0
    ? null
    : endOfCommand(end, `stopping ${unit}`, 'restart_failed');
}

/** Null when no timer is active and nothing of ours is left with systemd. */
async function stopJobs(context: StepContext): Promise<StepEnd | null> {
  const { systemd, target, stateFolder } = context;
  if (systemd === null) return noTimers();
  const known = [...(await installedJobs(stateFolder, target)), ...target.jobs];
  for (const timer of new Set(timersOf(known))) {
    const problem = await stopForGood(timer, target, { ...context, systemd });
    if (problem !== null) return problem;
  }
  const problem = await removeOurs(target, { ...context, systemd });
  if (problem === null) await forgetInstalled(stateFolder, target);
  return problem;
}

async function removeCurrent(context: StepContext): Promise<StepEnd> {
  const { app, current } = layoutOf(context.target);
  const ours = (await kindOfCurrent(context.target)) === 'link' && (await liveRelease(context.target)) !== '';
  if (!ours) return succeeded({ summary: 'nothing was live' });
  await takeProofBack('', context);
  await rm(current);
  await syncFolder(app);
  return succeeded({ summary: 'nothing is live now' });
}
