import type { Job } from '../../proto/gen/fraisier/v1/plan.js';
import { healthy, misconfigured, unhealthy } from './judge-health.js';
import type { Verdict } from './judge-health.js';
import { fullUnitName } from './policy-rules.js';
import type { Systemd } from './step.js';

/** Whether systemd says that the unit is active. */
export async function probeUnit(name: string, systemd: Systemd | null): Promise<Verdict> {
  if (systemd === null) return noSystemd();
  const unit = fullUnitName(name);
  const state = await systemd.show(unit, ['LoadState', 'ActiveState', 'SubState', 'Result']);
  return notLoaded(unit, state['LoadState']) ?? whenActive(unit, state);
}

/** Whether every timer is active and the service it starts ended well the last time; a job that runs now is fine. */
export async function probeTimers(jobs: readonly Job[], systemd: Systemd | null): Promise<Verdict> {
  if (systemd === null) return noSystemd();
  if (jobs.length === 0) return misconfigured('it has no jobs', 'name the timers of this fraise in jobs');
  const verdicts = await Promise.all(jobs.map((job) => probeJob(job, systemd)));
  const bad = verdicts.filter((verdict) => !verdict.healthy);
  const worst = bad.find((verdict) => verdict.mend !== '') ?? bad[0];
  const told = (bad.length === 0 ? verdicts : bad).map(({ answer }) => answer).join('; ');
  return { ...(worst ?? healthy('')), answer: told };
}

async function probeJob({ timer, service }: Job, systemd: Systemd): Promise<Verdict> {
  const timed = await systemd.show(timer, ['LoadState', 'ActiveState', 'SubState', 'Result']);
  const found = notLoaded(timer, timed['LoadState']) ?? whenActive(timer, timed);
  if (!found.healthy) return found;
  const started = await systemd.show(service, ['LoadState', 'Result']);
  const missing = notLoaded(service, started['LoadState']);
  if (missing !== null) return missing;
  const { Result: result = '' } = started;
  if (result === 'success') return healthy(`${found.answer}, ${service} ended well`);
  return unhealthy(`${service} ended with ${result || 'no result'} the last time`);
}

function noSystemd(): Verdict {
  return misconfigured(
    'there is no systemd on this host',
    'let the health check ask by url, tcp or command instead of systemd',
  );
}

function notLoaded(unit: string, state = ''): Verdict | null {
  if (state === 'loaded') return null;
  if (state === '') return unhealthy(`systemd did not say what ${unit} is`);
  const found = state === 'not-found' ? `there is no unit ${unit}` : `systemd says that ${unit} is ${state}`;
  return misconfigured(found, `correct the name of the unit, or see on the host: systemctl status ${unit}`);
}

function whenActive(unit: string, state: Readonly<Record<string, string>>): Verdict {
  const { ActiveState: active = '', SubState: sub = '', Result: result = '' } = state;
  if (active === 'active') return healthy(`${unit} is active`);
  const more = [sub, result].filter((word) => word !== '' && word !== active && word !== 'success');
  return unhealthy(`${unit} is ${[active, ...more].join(', ')}`);
}
