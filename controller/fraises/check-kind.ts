import type { Surroundings } from './build-environment.js';
import { durationMs } from './duration.js';
import { error, warning } from './finding.js';
import type { Finding } from './finding.js';
import type { SettingKey, Settings } from './inherit-settings.js';

type Kind = Surroundings['type'];

/** Which kinds a setting is for, of those that are not for all. */
const FOR: readonly (readonly [SettingKey, readonly Kind[]])[] = [
  ['script_path', ['etl']],
  ['run', ['etl']],
  ['run_timeout', ['etl']],
  ['run_repeatable', ['etl']],
  ['while_running', ['etl', 'scheduled']],
  ['jobs', ['scheduled']],
  ['systemd_timer', ['scheduled']],
  ['units', ['scheduled']],
  ['restart', ['api', 'etl']],
  ['restart_mode', ['api', 'etl']],
  ['systemd_socket', ['api', 'etl']],
];

/** What a kind of fraise needs, and what of another kind it does nothing with. */
export function checkKind(around: Surroundings, settings: Settings): readonly Finding[] {
  return [...checkUnused(around.type, settings), ...checkTimes(settings), ...checkOwn(around, settings)];
}

function checkUnused(type: Kind, { values, pathOf }: Settings): readonly Finding[] {
  return FOR.filter(([key, kinds]) => values[key] !== undefined && !kinds.includes(type)).map(
    ([key, kinds]) =>
      warning(pathOf(key), `not used with type: ${type}; it is for ${kinds.join(' and ')}`, 'key'),
  );
}

function checkTimes({ values, pathOf }: Settings): readonly Finding[] {
  const wait = values.while_running?.wait;
  const timeoutMs = durationMs(values.timeout ?? '10m');
  if (wait === undefined || durationMs(wait) < timeoutMs) return [];
  const message = 'is not shorter than the timeout of the deployment, which ends the wait before it is over';
  return [warning(pathOf('while_running', 'wait'), message)];
}

function checkOwn(around: Surroundings, settings: Settings): readonly Finding[] {
  switch (around.type) {
    case 'api':
      return [];
    case 'etl':
      return checkEtl(settings);
    case 'scheduled':
      return checkScheduled(settings);
  }
}

function checkEtl({ values, pathOf }: Settings): readonly Finding[] {
  const findings: Finding[] = [];
  if (values.script_path === undefined) {
    const message = 'is missing; an etl needs the path of its script in the repository';
    findings.push(error(pathOf('script_path'), message));
  }
  if (values.run === 'after_deploy') return findings;
  for (const key of ['run_timeout', 'run_repeatable'] as const) {
    if (values[key] !== undefined)
      findings.push(warning(pathOf(key), 'not used unless run: after_deploy', 'key'));
  }
  return findings;
}

function checkScheduled({ values, pathOf }: Settings): readonly Finding[] {
  const { jobs, systemd_timer, systemd_service } = values;
  if (jobs === undefined) {
    if (systemd_timer !== undefined) return [];
    const message = 'is missing; a scheduled fraise needs jobs, or a systemd_timer with its systemd_service';
    return [error(pathOf('jobs'), message)];
  }
  const beside = { systemd_timer, systemd_service };
  const findings = (['systemd_timer', 'systemd_service'] as const)
    .filter((key) => beside[key] !== undefined)
    .map((key) => error(pathOf(key), 'stands beside jobs; name it in one of them', 'key'));
  return [...findings, ...checkTwice(jobs, pathOf)];
}

/** A timer that is two jobs would be started by one and stopped by the other. */
function checkTwice(
  jobs: NonNullable<Settings['values']['jobs']>,
  pathOf: Settings['pathOf'],
): readonly Finding[] {
  const seen = new Map<string, string>();
  return Object.entries(jobs).flatMap(([name, { systemd_timer: timer }]) => {
    const other = seen.get(timer);
    seen.set(timer, other ?? name);
    if (other === undefined) return [];
    return [error(pathOf('jobs', name, 'systemd_timer'), `is the timer of the job ${other} already`)];
  });
}
