import type { Look } from '../look.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration for people: `0.4s`, `12.3s`, `2m 05s`, `1h 20m`, `3d 4h`. */
export function span(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < MINUTE - 0.05) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}m ${pad(whole % MINUTE)}s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)}h ${pad(Math.floor((whole % HOUR) / MINUTE))}m`;
  return `${Math.floor(whole / DAY)}d ${Math.floor((whole % DAY) / HOUR)}h`;
}

/** How long ago something was: `just now`, `3m ago`, `2h ago`, `5d ago`; `-` for never. */
export function ago(at: Date | undefined, now: Date): string {
  if (at === undefined) return '-';
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  if (seconds < 10) return 'just now';
  if (seconds < MINUTE) return `${seconds}s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}m ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)}h ago`;
  return `${Math.floor(seconds / DAY)}d ago`;
}

/** A time to the second, in UTC; `-` for none. */
export function instant(at: Date | undefined): string {
  return at === undefined ? '-' : `${at.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** The first seven characters of a full SHA; anything else as it is, `-` for nothing. */
export function short(version: string): string {
  return /^[0-9a-f]{40,64}$/.test(version) ? version.slice(0, 7) : version || '-';
}

/** A text, or `-` where there is none. */
export function orDash(text: string): string {
  return text || '-';
}

const GOOD: ReadonlySet<string> = new Set([
  'succeeded',
  'unchanged',
  'live',
  'connected',
  'deployed',
  'pong',
  'healthy',
  'active',
]);
const BAD: ReadonlySet<string> = new Set([
  'failed',
  'rolled_back',
  'rollback_failed',
  'unhealthy',
  'interrupted',
  'lost',
  'revoked',
  'bad_signature',
  'unparseable',
  'too_large',
  'rate_limited',
]);
const WARN: ReadonlySet<string> = new Set([
  'paused',
  'rolling_back',
  'stale',
  'drifted',
  'away',
  'cancelled',
  'superseded',
  'unknown',
]);
const BUSY: ReadonlySet<string> = new Set(['running', 'dispatched', 'queued', 'pending']);

/** A status word in its colour, the same everywhere. */
export function status(word: string, { ink }: Pick<Look, 'ink'>): string {
  if (GOOD.has(word)) return ink.green(word);
  if (BAD.has(word)) return ink.red(word);
  if (WARN.has(word)) return ink.yellow(word);
  return BUSY.has(word) ? ink.cyan(word) : word;
}

/** The one character that stands for a step's or run's status in a tree. */
export function mark(word: string, { ink }: Pick<Look, 'ink'>): string {
  if (word === 'succeeded') return ink.green('✓');
  if (BAD.has(word)) return ink.red('✗');
  if (BUSY.has(word)) return ink.cyan('…');
  return ink.yellow('-');
}

function pad(number: number): string {
  return String(number).padStart(2, '0');
}
