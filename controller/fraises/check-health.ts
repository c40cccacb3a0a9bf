import type { Surroundings } from './build-environment.js';
import { durationMs } from './duration.js';
import { error, warning } from './finding.js';
import type { Finding, Path } from './finding.js';
import type { Settings } from './inherit-settings.js';
import type { WrittenCheck, WrittenHealthCheck } from './schema-health.js';
import { templateFault } from './secret.js';

/** What the shape of a health check alone cannot tell: nothing to look at, and settings that contradict each other. */
export function checkHealth(
  { fraise, environment, type }: Surroundings,
  settings: Settings,
): readonly Finding[] {
  const { health_check: check } = settings.values;
  if (check !== undefined) return checkWritten(type, check, settings);
  if (type !== 'api') return [];
  return [
    warning(
      ['fraises', fraise, 'environments', environment],
      'has no health_check: a release will count as healthy as soon as its restart succeeded',
      'key',
    ),
  ];
}

function checkWritten(
  type: Surroundings['type'],
  check: WrittenHealthCheck,
  settings: Settings,
): readonly Finding[] {
  const path = settings.pathOf('health_check');
  const found = [
    ...checkTimes(check, path),
    ...checkOne(check, path, type, settings, check.checks !== undefined),
    ...(check.checks ?? []).flatMap((one, at) =>
      checkOne(one, [...path, 'checks', at], type, settings, false),
    ),
  ];
  if (check.attempts === undefined || check.retries === undefined) return found;
  const message = "is the original's name for attempts; keep one of them";
  return [error([...path, 'retries'], message, 'key'), ...found];
}

function checkTimes(check: WrittenHealthCheck, path: Path): readonly Finding[] {
  const findings: Finding[] = [];
  const { delay = '3s', max_delay, backoff = 1, start_grace = 0, stable_for = 0, deadline } = check;
  if (max_delay !== undefined && backoff === 1)
    findings.push(warning([...path, 'max_delay'], 'not used without backoff', 'key'));
  if (max_delay !== undefined && durationMs(max_delay) < durationMs(delay))
    findings.push(error([...path, 'max_delay'], 'is shorter than delay'));
  if (deadline !== undefined && durationMs(deadline) <= durationMs(start_grace) + durationMs(stable_for))
    findings.push(error([...path, 'deadline'], 'leaves no time to look after start_grace and stable_for'));
  return findings;
}

const LOOKS = ['url', 'tcp', 'command', 'systemd'] as const;
/** Settings that say nothing without another one. */
const BELONGS = [
  ['expect', 'url'],
  ['headers', 'url'],
  ['tls', 'url'],
  ['user', 'command'],
] as const;

function checkOne(
  check: WrittenCheck,
  path: Path,
  type: Surroundings['type'],
  settings: Settings,
  mayBeEmpty: boolean,
): readonly Finding[] {
  const findings: Finding[] = [];
  const looks = LOOKS.some((key) => check[key] !== undefined && check[key] !== false);
  if (!looks && !mayBeEmpty)
    findings.push(error(path, 'has nothing to look at; say url, tcp, command or systemd: true', 'key'));
  for (const [key, of] of BELONGS)
    if (check[key] !== undefined && check[of] === undefined)
      findings.push(error([...path, key], `has no meaning without ${of} beside it`, 'key'));
  if (check.systemd === true && type !== 'scheduled' && settings.values.systemd_service === undefined)
    findings.push(error([...path, 'systemd'], 'needs systemd_service: the unit to look at', 'key'));
  return [...findings, ...checkTls(check, [...path, 'tls']), ...checkHeaders(check, path, settings)];
}

function checkTls({ url = '', tls = {} }: WrittenCheck, path: Path): readonly Finding[] {
  const findings: Finding[] = [];
  if (Object.keys(tls).length > 0 && /^http:/i.test(url))
    findings.push(error(path, 'needs an url that begins with https://', 'key'));
  if (tls.insecure !== true) return findings;
  if (tls.ca_file !== undefined)
    return [...findings, error([...path, 'insecure'], 'stands beside ca_file; keep one of them', 'key')];
  return [
    ...findings,
    warning([...path, 'insecure'], 'the certificate is not looked at: anybody may answer'),
  ];
}

/** Names of headers that hold what nobody else should know. */
const SECRET_HEADER = /authorization|cookie|token|secret|password|api-?key/i;

function checkHeaders({ headers = {} }: WrittenCheck, path: Path, { values }: Settings): readonly Finding[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const here = [...path, 'headers', name];
    const fault = templateFault(value);
    if (fault !== null) return [error(here, fault)];
    const template = value.includes('${');
    if (template && values.environment_file === undefined)
      return [error(here, 'needs an environment_file: ${…} is filled in from it, on the host')];
    if (template || !SECRET_HEADER.test(name)) return [];
    const message =
      'looks like a secret, and every version of this file is kept; write ${NAME}, and NAME=… into the ' +
      'environment_file on the host';
    return [warning(here, message)];
  });
}
