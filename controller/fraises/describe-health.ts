import { commandText } from './describe-command.js';
import { formatDuration } from './duration.js';
import type { Check, HealthCheck, HttpCheck } from './fraises.js';

type Parts = Readonly<Record<string, string | null>>;

/** A health check as text: the key of the file for each setting, to its value. */
export function describeHealth(one: HealthCheck | null): Parts {
  if (one === null) return {};
  const checks = one.checks.map((check, at) => describeCheck(check, at === 0 ? '' : `.${at + 1}`));
  return {
    ...(Object.assign({}, ...checks) as Parts),
    'health_check.attempts': String(one.attempts),
    'health_check.delay': formatDuration(one.delayMs),
    'health_check.backoff': one.backoff === 1 ? null : String(one.backoff),
    'health_check.max_delay': one.backoff === 1 ? null : formatDuration(one.maxDelayMs),
    'health_check.start_grace': orNothing(one.startGraceMs),
    'health_check.stable_for': formatDuration(one.stableForMs),
    'health_check.deadline': one.deadlineMs === null ? null : formatDuration(one.deadlineMs),
  };
}

/** The second check is the `.2` of each of its keys. */
function describeCheck(check: Check, suffix: string): Parts {
  const timeout = { timeout: formatDuration(check.timeoutMs) };
  const parts: Parts = { ...look(check), ...timeout };
  return Object.fromEntries(
    Object.entries(parts).map(([key, value]) => [`health_check.${key}${suffix}`, value]),
  );
}

function look(check: Check): Parts {
  switch (check.by) {
    case 'http':
      return http(check);
    case 'tcp':
      return { tcp: `${check.host.includes(':') ? `[${check.host}]` : check.host}:${check.port}` };
    case 'command':
      return { command: commandText(check.command), user: check.user };
    case 'unit':
    case 'timers':
      return { systemd: 'true' };
  }
}

function http({ url, statuses, versionField, json, body, headers, tls }: HttpCheck): Parts {
  return {
    url,
    'expect.status': statuses.join(', '),
    'expect.version_field': versionField,
    'expect.json': list(Object.entries(json).map(([path, value]) => `${path}=${value}`)),
    'expect.body': body,
    headers: list(Object.entries(headers).map(([name, value]) => `${name}: ${shown(value)}`)),
    'tls.ca_file': tls.caFile,
    'tls.server_name': tls.serverName,
    'tls.insecure': tls.insecure ? 'true' : null,
  };
}

/** A value of a header may be a secret, where it is not a name of one. */
function shown(value: string): string {
  return value.includes('${') ? value : '…';
}

function list(values: readonly string[]): string {
  return values.join(', ');
}

function orNothing(ms: number): string | null {
  return ms === 0 ? null : formatDuration(ms);
}
