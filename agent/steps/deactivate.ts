import { rm } from 'node:fs/promises';
import type { Deactivate } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, endOfDiskError, succeeded } from './ends.js';
import { fullUnitName } from './policy-rules.js';
import { kindOfCurrent, layoutOf, liveRelease, syncFolder } from './release-layout.js';
import { noSystemd } from './restart.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

/** A first release failed and there is none to go back to: its unit is stopped and `current` removed. */
export const deactivate: RunStep<Deactivate> = async ({ systemdService }, context) => {
  const problem = systemdService === '' ? null : await stopUnit(fullUnitName(systemdService), context);
  if (problem !== null) return problem;
  try {
    return await removeCurrent(context);
  } catch (error) {
    return endOfDiskError(error, 'removing the link to the failed release', 'activate_failed');
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

async function removeCurrent(context: StepContext): Promise<StepEnd> {
  const { app, current } = layoutOf(context.target);
  const ours = (await kindOfCurrent(context.target)) === 'link' && (await liveRelease(context.target)) !== '';
  if (!ours) return succeeded({ summary: 'nothing was live' });
  await rm(current);
  await syncFolder(app);
  return succeeded({ summary: 'nothing is live now' });
}
