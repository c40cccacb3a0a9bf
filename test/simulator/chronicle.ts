import { createHash } from 'node:crypto';
import type { Schedule } from './schedule.js';

/** What an invariant says when it does not hold. */
export interface Fault {
  readonly atMs: number;
  readonly what: string;
}

/** The story of one seed, line by line; its hash is the same whenever the same seed is told again. */
export class Chronicle {
  readonly #schedule: Schedule;
  readonly #hash = createHash('sha256');
  /** Hashed many at once, which costs less. */
  #unhashed = '';
  readonly #say: ((line: string) => void) | null;
  readonly faults: Fault[] = [];
  lines = 0;

  /** `say` gets every line at once; null: only the hash is kept. */
  constructor(schedule: Schedule, say: ((line: string) => void) | null) {
    this.#schedule = schedule;
    this.#say = say;
  }

  get nowMs(): number {
    return this.#schedule.nowMs;
  }

  tell(who: string, what: string): void {
    const line = `${clockTime(this.#schedule.nowMs)} ${who.padEnd(8)} ${what}`;
    this.lines += 1;
    this.#unhashed += `${line}\n`;
    if (this.#unhashed.length > HASHED_AT_ONCE) this.#hashAll();
    this.#say?.(line);
  }

  /** `error` is shown and not part of the story: where it was thrown depends on how the simulator was started. */
  fault(what: string, error: unknown = null): void {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    this.faults.push({ atMs: this.#schedule.nowMs, what: stack === '' ? what : `${what}\n${stack}` });
    this.tell('FAULT', what);
    if (stack !== '') this.#say?.(stack);
  }

  /** A line of a program's own log. What is not of the simulator's making is a fault. */
  logged(who: string, line: string): void {
    const { level, msg, err, why, reason } = JSON.parse(line) as Logged;
    const because = err === undefined ? (why ?? saidBy(reason)) : `${err.type}: ${err.message}`;
    this.tell(who, `log: ${msg}${because === '' ? '' : ` (${because})`}`);
    if (err !== undefined && level >= ERROR && err.type !== 'Outage' && err.code !== 'ENOSPC')
      this.fault(
        `${who} logged "${msg}": ${err.message}`,
        Object.assign(new Error(err.message), { stack: err.stack }),
      );
    if (reason === 'internal' && !EXPECTED.test(because)) this.fault(`${who} logged "${msg}": ${because}`);
  }

  digest(): string {
    this.#hashAll();
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  #hashAll(): void {
    this.#hash.update(this.#unhashed);
    this.#unhashed = '';
  }
}

/** As pino writes it. */
interface Logged {
  readonly level: number;
  readonly msg: string;
  readonly why?: string;
  readonly reason?: string | { readonly code: string; readonly message: string };
  readonly err?: {
    readonly type: string;
    readonly message: string;
    readonly stack?: string;
    readonly code?: string;
  };
}

const ERROR = 50;
const HASHED_AT_ONCE = 16_384;
/** What an outage of the simulator comes to on the other side. */
const EXPECTED = /the controller failed; its log says why|no space left on device/;

function saidBy(reason: Logged['reason']): string {
  return typeof reason === 'object' ? `${reason.code}: ${reason.message}` : (reason ?? '');
}

/** `0:12:03.045` since the start. */
export function clockTime(ms: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const rest = String(Math.floor(ms % 1000)).padStart(3, '0');
  return `${Math.floor(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${rest}`;
}
