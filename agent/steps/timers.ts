import type { Job, Timers } from '../../proto/gen/fraisier/v1/plan.js';
import { noSystemd } from './check-units.js';
import { endOfCommand, failed, succeeded } from './ends.js';
import { isOk } from './git.js';
import { installedJobs } from './installed-units.js';
import { fullUnitName } from './policy-rules.js';
import type { RunStep, StepContext, StepEnd, Systemd } from './step.js';

/** Enables and starts the timers that were put in place; systemd itself says that each is active and when it elapses. */
export const timers: RunStep<Timers> = async (_, context) => {
  const { systemd, stateFolder, target } = context;
  if (systemd === null) return noSystemd();
  const next: string[] = [];
  for (const job of await installedJobs(stateFolder, target)) {
    const done = await startTimer(job, systemd, context);
    if (typeof done !== 'string') return done;
    next.push(done);
  }
  return succeeded({ summary: next.join('; ') });
};

/** When it elapses next, in words, or the end of a step that could not start it. */
async function startTimer(
  job: Job,
  systemd: Systemd,
  { signal, note }: StepContext,
): Promise<string | StepEnd> {
  const [timer, service] = [fullUnitName(job.timer), fullUnitName(job.service)];
  const failure = await forgetFailure(service, systemd, signal);
  if (failure !== null) return failure;
  for (const act of ['enable', 'start'] as const) {
    const end = await systemd[act](timer, signal);
    if (!isOk(end)) return endOfCommand(end, `systemctl ${act} ${timer}`, 'timer_failed');
  }
  const shown = await systemd.show(timer, PROPERTIES);
  if (shown['UnitFileState'] === 'static')
    await note('not_enabled', `${timer} has no [Install] section: it is not started when the host boots`);
  return verdictOn(timer, shown);
}

const PROPERTIES = [
  'ActiveState',
  'SubState',
  'Result',
  'UnitFileState',
  'NextElapseUSecRealtime',
  'NextElapseUSecMonotonic',
];

/** How a job ended under the release before says nothing about this one. */
async function forgetFailure(
  service: string,
  systemd: Systemd,
  signal: AbortSignal,
): Promise<StepEnd | null> {
  if ((await systemd.show(service, ['ActiveState']))['ActiveState'] !== 'failed') return null;
  const end = await systemd.resetFailed(service, signal);
  return isOk(end) ? null : endOfCommand(end, `systemctl reset-failed ${service}`, 'timer_failed');
}

function verdictOn(timer: string, shown: Readonly<Record<string, string>>): string | StepEnd {
  const { ActiveState: state = '', SubState: sub = '', Result: result = '' } = shown;
  const hint = `on the host: systemctl status ${timer}`;
  const facts = { unit: timer, state, sub_state: sub };
  if (state !== 'active') {
    const why = [state || 'unknown', ...(result === '' || result === 'success' ? [] : [result])].join(', ');
    return failed('timer_failed', `${timer} is not active after it was started (${why})`, { hint, facts });
  }
  // While its job runs a timer may not know its next moment yet.
  if (sub === 'running') return `${timer}: its job runs now`;
  const next = nextOf(shown);
  if (next !== null) return `${timer}: next ${next}`;
  const never = `${timer} is active, but systemd knows no moment at which it elapses`;
  return failed('timer_failed', never, { hint, facts });
}

function nextOf(shown: Readonly<Record<string, string>>): string | null {
  const known = (value = '') => (['', '0', 'infinity', 'n/a'].includes(value) ? null : value);
  const monotonic = known(shown['NextElapseUSecMonotonic']);
  return (
    known(shown['NextElapseUSecRealtime']) ?? (monotonic === null ? null : `${monotonic} after the boot`)
  );
}
