import { formatDuration } from './duration.js';
import type { Environment } from './fraises.js';

type Parts = Readonly<Record<string, string | null>>;

/** What belongs to the kind of an environment as text: the key of the file for each setting, to its value. */
export function describeKind(environment: Environment): Parts {
  const { type, script, jobs, units, whileRunning } = environment;
  if (type === 'api') return {};
  const perJob = jobs.map(({ name, service, timer, serviceFile, timerFile }) => ({
    [`jobs.${name}.systemd_timer`]: timer,
    [`jobs.${name}.systemd_service`]: service,
    [`jobs.${name}.timer_file`]: timerFile,
    [`jobs.${name}.service_file`]: serviceFile,
  }));
  return {
    ...describeScript(script),
    ...(Object.assign({}, ...perJob) as Parts),
    units,
    'while_running.wait': formatDuration(whileRunning.waitMs),
    'while_running.then': whileRunning.pastWait,
  };
}

function describeScript(script: Environment['script']): Parts {
  if (script === null) return {};
  const parts = { script_path: script.path, run: script.run };
  if (script.run === 'verify') return parts;
  const repeatable = script.repeatable ? 'true' : null;
  return { ...parts, run_timeout: formatDuration(script.timeoutMs), run_repeatable: repeatable };
}
