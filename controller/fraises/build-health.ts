import { commandLine, milliseconds } from './build-command.js';
import type { Check, Environment, HealthCheck, HttpCheck } from './fraises.js';
import type { WrittenCheck, WrittenHealthCheck } from './schema-health.js';

const LOOK_MS = 5000;

/** What `systemd: true` means here; null: there is no unit to look at. */
type OwnUnit = { readonly by: 'unit'; readonly unit: string } | { readonly by: 'timers' } | null;

/** The health check with its defaults; null when there is none. `unit` is the environment's own. */
export function buildHealthCheck(
  written: WrittenHealthCheck | undefined,
  type: Environment['type'],
  unit: string | null,
): HealthCheck | null {
  if (written === undefined) return null;
  const own: OwnUnit = type === 'scheduled' ? { by: 'timers' } : unit === null ? null : { by: 'unit', unit };
  const delayMs = milliseconds(written.delay, 3000);
  const timeoutMs = milliseconds(written.timeout, LOOK_MS);
  return {
    checks: [written, ...(written.checks ?? [])].flatMap((one) => checksOf(one, own, timeoutMs)),
    attempts: written.attempts ?? written.retries ?? 10,
    delayMs,
    backoff: written.backoff ?? 1,
    maxDelayMs: Math.max(delayMs, milliseconds(written.max_delay, 30_000)),
    startGraceMs: milliseconds(written.start_grace, 0),
    stableForMs: milliseconds(written.stable_for, 0),
    deadlineMs: written.deadline === undefined ? null : milliseconds(written.deadline, 0),
  };
}

/** All that one map of the file names to look at. */
function checksOf(written: WrittenCheck, own: OwnUnit, otherwiseMs: number): readonly Check[] {
  const timeoutMs = milliseconds(written.timeout, otherwiseMs);
  const { url, tcp, command, user = null } = written;
  return [
    ...(url === undefined ? [] : [{ timeoutMs, ...httpCheck(url, written) }]),
    ...(tcp === undefined ? [] : [{ timeoutMs, by: 'tcp' as const, ...hostAndPort(tcp) }]),
    ...(command === undefined
      ? []
      : [{ timeoutMs, by: 'command' as const, command: commandLine(command), user }]),
    ...(written.systemd === true && own !== null ? [{ timeoutMs, ...own }] : []),
  ];
}

function httpCheck(url: string, { expect = {}, headers = {}, tls = {} }: WrittenCheck): HttpCheck {
  return {
    by: 'http',
    url,
    statuses: typeof expect.status === 'number' ? [expect.status] : (expect.status ?? [200]),
    versionField: expect.version_field ?? null,
    json: Object.fromEntries(Object.entries(expect.json ?? {}).map(([path, value]) => [path, String(value)])),
    body: expect.body ?? null,
    headers: { ...headers },
    tls: {
      caFile: tls.ca_file ?? null,
      serverName: tls.server_name ?? null,
      insecure: tls.insecure ?? false,
    },
  };
}

/** Of text that `schema-words` took for `host:port`. */
function hostAndPort(written: string): { readonly host: string; readonly port: number } {
  const colon = written.lastIndexOf(':');
  return {
    host: written.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(written.slice(colon + 1)),
  };
}
