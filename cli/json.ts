import type { Stats, WatchEvent } from '../proto/gen/fraisier/v1/control.js';
import type { Reason } from '../proto/gen/fraisier/v1/plan.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** Maps whose keys are the user's own words and are left alone. */
const MAPS: ReadonlySet<string> = new Set(['labels', 'facts', 'headers']);
/** Enums of the protocol, which records spell in lower case without their prefix. */
const ENUMS: ReadonlySet<string> = new Set(['phase', 'outcome']);

/**
 * A message of the protocol in its documented shape: snake_case keys, ISO 8601 times, `null` for what is absent
 * (also for an empty text), bytes as UTF-8 text, a reason as `{code, message, hint, …facts}`. Nothing is dropped.
 */
export function toJson(value: unknown): Json {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(toJson);
  return messageJson(value as Readonly<Record<string, unknown>>);
}

/** Stats always carry their three pairs of percentiles, null where nothing was measured. */
export function statsJson(stats: Stats): Json {
  const none = { p50: undefined, p95: undefined };
  return toJson({
    ...stats,
    durationMs: stats.durationMs ?? none,
    leadTimeMs: stats.leadTimeMs ?? none,
    timeToRestoreMs: stats.timeToRestoreMs ?? none,
  });
}

/**
 * One event of a deployment on one line: `{number, at, event: "deployment", deployment}` when it changed as a whole,
 * else `{number, at, event, host, phase, run_id, seq, …}` where `event` is `run_started`, `step_started`,
 * `step_note`, `step_finished` or `run_finished` and the rest is what that event carries.
 */
export function watchEventJson({ number, at, event }: WatchEvent): Json {
  const head = { number, at: toJson(at) };
  if (event === undefined) return { ...head, event: null };
  if (event.$case === 'deployment') return { ...head, event: 'deployment', deployment: toJson(event.value) };
  const { host, phase, event: run } = event.value;
  const where = { host, phase: enumWord(phase) };
  if (run?.event === undefined) return { ...head, event: null, ...where };
  const what = toJson(run.event.value) as JsonObject;
  return { ...head, event: snake(run.event.$case), ...where, run_id: run.runId, seq: run.seq, ...what };
}

/** `PHASE_MIGRATE_DOWN` as records say it: `migrate_down`. */
export function enumWord(name: string): string {
  return name.replace(/^(PHASE|OUTCOME)_/, '').toLowerCase();
}

function messageJson(message: Readonly<Record<string, unknown>>): Json {
  if (isReason(message)) return reasonJson(message);
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [snake(key), fieldJson(key, value)]),
  );
}

function fieldJson(key: string, value: unknown): Json {
  if (MAPS.has(key)) return { ...(value as Record<string, string>) };
  if (ENUMS.has(key) && typeof value === 'string' && value !== '') return enumWord(value);
  return toJson(value);
}

function reasonJson({ code, message, hint, facts }: Reason): Json {
  const own = { code, message, hint: toJson(hint) };
  return { ...own, ...facts, ...own };
}

function isReason(message: object): message is Reason {
  return 'code' in message && 'hint' in message && 'facts' in message;
}

function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
