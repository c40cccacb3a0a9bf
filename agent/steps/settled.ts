import type { Job, Preflight } from '../../proto/gen/fraisier/v1/plan.js';
import { readBrokenOff } from './broken-checkout.js';
import { installedJobs } from './installed-units.js';
import { anyVersion, lookOnceAt, lookPortsOf } from './look.js';
import { liveCommit, placeOf } from './place.js';
import { probeTimers } from './probe-units.js';
import { isInPlace, readReleaseMark } from './release-layout.js';
import type { ReleaseMark } from './release-layout.js';
import type { StepContext } from './step.js';
import { isStale, unitNow } from './unit-now.js';

/** Whatever the health check allows: who answers later than this is deployed to. */
const LONGEST_LOOK_MS = 10_000;

/**
 * Whether there is nothing to do here: the wanted commit is live and was proven good, its process is newer than its code,
 * its timers are the wanted ones and active, and every probe is green at once. Looks only; one doubt is a no.
 */
export async function isSettled({ health }: Preflight, context: StepContext): Promise<boolean> {
  if ((await liveCommit(context)) !== context.commit) return false;
  if (isInPlace(context.target) && (await readBrokenOff(context)) !== null) return false;
  const mark = await readReleaseMark(placeOf(context), context.commit);
  if (mark === null || mark.provenGoodAt === null) return false;
  if (!(await runsIt(mark, context)) || !(await timersRun(context))) return false;
  if (health === undefined || health.probes.length === 0) return true;
  const look = await lookOnceAt(health, lookPortsOf(context), LONGEST_LOOK_MS);
  await context.log(`health: ${look.answer}`);
  return look.healthy;
}

/** Whether what is live does not answer as healthy, whatever its version; commands are not run for that. False when nothing is asked. */
export async function isUnhealthyNow(
  { look: asked, health }: Preflight,
  context: StepContext,
): Promise<boolean> {
  if (!asked || health === undefined || health.probes.length === 0) return false;
  const ports = { ...lookPortsOf(context), command: null };
  const look = await lookOnceAt(anyVersion(health), ports, LONGEST_LOOK_MS);
  return look.asked && !look.healthy;
}

/** A unit that was started before its code changed still runs the old one. */
async function runsIt(mark: ReleaseMark, { target, systemd }: StepContext): Promise<boolean> {
  if (target.systemdService === '') return true;
  const unit = await unitNow(target, systemd);
  return unit.unitState === 'active' && !unit.reloadDue && !isStale(mark, unit.unitStartedAt);
}

async function timersRun({ target, systemd, stateFolder }: StepContext): Promise<boolean> {
  if (target.jobs.length === 0) return true;
  const installed = await installedJobs(stateFolder, target);
  if (words(installed) !== words(target.jobs)) return false;
  return (await probeTimers(target.jobs, systemd)).healthy;
}

function words(jobs: readonly Job[]): string {
  return JSON.stringify(
    jobs.map(({ name, service, timer, serviceFile, timerFile }) => [
      name,
      service,
      timer,
      serviceFile,
      timerFile,
    ]),
  );
}
