import { milliseconds } from './build-command.js';
import type { Environment, Job } from './fraises.js';
import type { WrittenSettings } from './fraises-schema.js';
import type { WrittenJob } from './schema-jobs.js';

const MOST_WAIT_MS = 300_000;

type Kind = Pick<Environment, 'script' | 'whileRunning' | 'jobs' | 'units'>;

/** What belongs to a kind of fraise, with its defaults; nothing of it where the kind has none. */
export function buildKind(type: Environment['type'], values: WrittenSettings, timeoutMs: number): Kind {
  const { while_running: running = {} } = values;
  return {
    script: type === 'etl' ? buildScript(values, timeoutMs) : null,
    whileRunning: {
      waitMs: milliseconds(running.wait, Math.min(MOST_WAIT_MS, Math.floor(timeoutMs / 2))),
      pastWait: running.then ?? 'fail',
    },
    jobs: type === 'scheduled' ? buildJobs(values) : [],
    units: type === 'scheduled' && values.units !== undefined ? values.units.replace(/\/$/, '') : null,
  };
}

function buildScript(values: WrittenSettings, timeoutMs: number): Environment['script'] {
  return {
    path: values.script_path ?? '',
    run: values.run ?? 'verify',
    timeoutMs: milliseconds(values.run_timeout, timeoutMs),
    repeatable: values.run_repeatable ?? false,
  };
}

function buildJobs({ jobs, systemd_timer, systemd_service }: WrittenSettings): readonly Job[] {
  if (jobs !== undefined) return Object.entries(jobs).map(([name, written]) => buildJob(name, written));
  if (systemd_timer === undefined) return [];
  const name = systemd_timer.replace(/\.timer$/, '');
  return [buildJob(name, { systemd_timer, ...(systemd_service === undefined ? {} : { systemd_service }) })];
}

function buildJob(
  name: string,
  { systemd_timer, systemd_service, timer_file, service_file }: WrittenJob,
): Job {
  return {
    name,
    timer: systemd_timer,
    service: serviceName(systemd_service ?? systemd_timer.replace(/\.timer$/, '')),
    timerFile: timer_file ?? null,
    serviceFile: service_file ?? null,
  };
}

/** systemd's own rule: a name without a suffix is a service. */
export function serviceName(written: string): string {
  return written.endsWith('.service') ? written : `${written}.service`;
}
