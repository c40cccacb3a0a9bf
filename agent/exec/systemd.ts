import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { reason } from '../../proto/error-codes.js';
import type { CommandEnd, Systemd } from '../steps/step.js';
import { runProgram } from './run-program.js';

/** Longer than systemd's own default limits for starting and stopping a unit (90 s each). */
const JOB_LIMIT_MS = 200_000;
const LOOK_LIMIT_MS = 15_000;
/** What systemctl says when it was not told how its job ended. */
const NO_WORD =
  /D-Bus connection terminated|Failed to connect to bus|Failed to wait for response|Connection reset by peer|Transport endpoint is not connected|^Job for \S+ canceled\.|is destructive/m;
const NO_WORD_MS = 60_000;
const AGAIN_MS = 500;

/** Null where systemd is not process 1. */
export function systemdHere(): Systemd | null {
  return existsSync('/run/systemd/system') ? systemctlSystemd() : null;
}

/**
 * systemd's answers by `systemctl` and `journalctl`. A restart or stop runs inside systemd: aborting stops our waiting
 * for the job, never the job, and asking again is as good as once.
 */
export function systemctlSystemd(
  programs: { readonly systemctl: string; readonly journalctl: string } = {
    systemctl: 'systemctl',
    journalctl: 'journalctl',
  },
  unitFolder = '/etc/systemd/system',
): Systemd {
  const act = (verb: string) => (unit: string, signal: AbortSignal) =>
    job([programs.systemctl, verb, '--', unit], signal);
  return {
    unitFolder,
    start: act('start'),
    enable: act('enable'),
    disable: act('disable'),
    resetFailed: act('reset-failed'),
    daemonReload: (signal) => job([programs.systemctl, 'daemon-reload'], signal),
    show: (unit, properties) => show(programs.systemctl, unit, properties),
    restart: (unit, signal, verb = 'restart') => act(verb)(unit, signal),
    stop: act('stop'),
    journalTail: (unit, lines) => journalTail(programs.journalctl, unit, lines),
  };
}

/** Every property asked for is in the answer; empty when systemd has no word for it or did not answer. */
async function show(
  systemctl: string,
  unit: string,
  properties: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const argv = [systemctl, 'show', `--property=${properties.join(',')}`, '--', unit];
  // Moments are printed in the local time zone otherwise, by its abbreviation.
  const { stdout } = await runProgram(argv, {
    timeoutMs: LOOK_LIMIT_MS,
    environment: { TZ: 'UTC', LC_ALL: 'C' },
  });
  const answered = parseProperties(stdout);
  return Object.fromEntries(properties.map((property) => [property, answered[property] ?? '']));
}

/** `Name=value` lines, as `systemctl show` prints them. */
export function parseProperties(text: string): Record<string, string> {
  const pairs = text
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}

/**
 * Asks again while systemctl tells nothing of the unit itself: it lost systemd, which starts itself anew or goes down with
 * the host, or its job was pushed aside by another one.
 */
async function job(argv: readonly string[], signal: AbortSignal): Promise<CommandEnd> {
  const giveUpAt = performance.now() + NO_WORD_MS;
  for (;;) {
    const end = await askOnce(argv, signal);
    const noWord = end.ended === 'exited' && end.exitCode !== 0 && NO_WORD.test(end.output);
    if (!noWord) return end;
    if (performance.now() > giveUpAt) return unknown(argv, end.output.trim());
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function askOnce(argv: readonly string[], signal: AbortSignal): Promise<CommandEnd> {
  const end = await runProgram(argv, { timeoutMs: JOB_LIMIT_MS, signal });
  if (end.exitCode !== null)
    return { ended: 'exited', exitCode: end.exitCode, output: `${end.stdout}${end.stderr}` };
  if (signal.aborted) return { ended: 'stopped', reason: reasonOf(signal) };
  return unknown(argv, end.problem);
}

function unknown(argv: readonly string[], why: string): CommandEnd {
  return { ended: 'unknown', reason: reason('outcome_unknown', `${argv.join(' ')}: ${why}`) };
}

function reasonOf(signal: AbortSignal): ReturnType<typeof reason> {
  const why: unknown = signal.reason;
  return isReason(why) ? why : reason('cancelled', 'it was stopped');
}

function isReason(value: unknown): value is ReturnType<typeof reason> {
  return (
    typeof value === 'object' && value !== null && 'code' in value && 'hint' in value && 'facts' in value
  );
}

async function journalTail(journalctl: string, unit: string, lines: number): Promise<string> {
  const argv = [journalctl, '--no-pager', '--output=short-iso', `--lines=${lines}`, `--unit=${unit}`];
  return (await runProgram(argv, { timeoutMs: LOOK_LIMIT_MS })).stdout;
}
