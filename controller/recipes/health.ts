import { HealthProbe } from '../../proto/gen/fraisier/v1/plan.js';
import type { Health, Step } from '../../proto/gen/fraisier/v1/plan.js';
import { LONGEST_MS } from '../fraises/duration.js';
import type { Check, HealthCheck, HttpCheck } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { stepOf } from './step-of.js';

/** Beyond the looks themselves: asking systemd, writing what was found. */
const SLACK_MS = 10_000;
/** What an agent may need to stop a command that does not mind being told to. */
const STOP_COMMAND_MS = 10_000;
/** An agent asks so many probes at the same moment. */
const AT_ONCE = 8;

/** Waits until the release is healthy; empty without a check. */
export function health(check: HealthCheck | null, commit: string): Step[] {
  if (check === null) return [];
  return [
    stepOf('health', longestMs(check), {
      $case: 'health',
      value: {
        attempts: check.attempts,
        delayMs: check.delayMs,
        backoffFactor: check.backoff,
        maxDelayMs: check.maxDelayMs,
        startGraceMs: check.startGraceMs,
        stableForMs: check.stableForMs,
        deadlineMs: check.deadlineMs ?? 0,
        commit,
        probes: check.checks.map((one) => probeOf(one, commit)),
      },
    }),
  ];
}

/** The same check of another release: the version it must serve and where its commands run. */
export function healthOfRelease(spec: Health, commit: string): Health {
  return { ...spec, commit, probes: spec.probes.map((probe) => probeOfRelease(probe, commit)) };
}

function probeOfRelease(probe: HealthProbe, commit: string): HealthProbe {
  const { look } = probe;
  if (look?.$case === 'http') {
    const expectVersion = look.value.versionField === '' ? '' : commit;
    return { ...probe, look: { ...look, value: { ...look.value, expectVersion } } };
  }
  if (look?.$case === 'command') return { ...probe, look: { ...look, value: { ...look.value, commit } } };
  return probe;
}

/** The worst case: every attempt healthy at first and never to its end, every look as long as it may take. At most what a deployment may last. */
function longestMs(check: HealthCheck): number {
  const look = longestLookMs(check);
  const each = look + (check.stableForMs === 0 ? 0 : check.stableForMs + look);
  const all = check.startGraceMs + check.attempts * each + pausesMs(check);
  // The look that the deadline falls into is cut short, and so is what follows.
  const needed = Math.ceil(Math.min(all, check.deadlineMs ?? Infinity)) + stopMs(check) + SLACK_MS;
  return Math.min(needed, LONGEST_MS);
}

function pausesMs({ attempts, delayMs, backoff, maxDelayMs }: HealthCheck): number {
  let sum = 0;
  let pause = delayMs;
  for (let after = 1; after < attempts; after++) {
    sum += pause;
    pause = Math.min(pause * backoff, maxDelayMs);
  }
  return sum;
}

/** Commands take turns, and each may have to be stopped; the others are asked together. */
function longestLookMs({ checks }: HealthCheck): number {
  const commands = checks.filter(({ by }) => by === 'command');
  const others = checks.filter(({ by }) => by !== 'command');
  const turns = commands.reduce((sum, { timeoutMs }) => sum + timeoutMs + STOP_COMMAND_MS, 0);
  const slowest = Math.max(0, ...others.map(({ timeoutMs }) => timeoutMs));
  return Math.max(turns, Math.ceil(others.length / AT_ONCE) * slowest);
}

function stopMs({ checks }: HealthCheck): number {
  return checks.some(({ by }) => by === 'command') ? STOP_COMMAND_MS : 0;
}

function probeOf(check: Check, commit: string): HealthProbe {
  return HealthProbe.fromPartial({
    name: nameOf(check),
    timeoutMs: check.timeoutMs,
    look: lookOf(check, commit),
  });
}

function lookOf(check: Check, commit: string): Parameters<typeof HealthProbe.fromPartial>[0]['look'] {
  switch (check.by) {
    case 'http':
      return { $case: 'http', value: httpOf(check, commit) };
    case 'tcp':
      return { $case: 'tcp', value: { host: check.host, port: check.port } };
    case 'command':
      return { $case: 'command', value: commandOf(check, commit) };
    case 'unit':
      return { $case: 'unit', value: { unit: check.unit } };
    case 'timers':
      return { $case: 'timers', value: {} };
  }
}

function httpOf({ url, statuses, versionField, json, body, headers, tls }: HttpCheck, commit: string) {
  return {
    url,
    expectStatuses: [...statuses],
    jsonEquals: { ...json },
    bodyContains: body ?? '',
    headers: { ...headers },
    versionField: versionField ?? '',
    expectVersion: versionField === null ? '' : commit,
    tlsCaFile: tls.caFile ?? '',
    tlsServerName: tls.serverName ?? '',
    tlsInsecure: tls.insecure,
  };
}

/** For people; short enough for a line. */
function nameOf(check: Check): string {
  switch (check.by) {
    case 'http':
      return check.url;
    case 'tcp':
      return `tcp ${check.host.includes(':') ? `[${check.host}]` : check.host}:${check.port}`;
    case 'command':
      return `command ${short('argv' in check.command ? check.command.argv.join(' ') : check.command.shell)}`;
    case 'unit':
      return check.unit;
    case 'timers':
      return 'timers';
  }
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
