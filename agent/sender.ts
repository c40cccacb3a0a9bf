import type { FromAgent, LogPosition, RunEvent } from '../proto/gen/fraisier/v1/agent.js';
import type { Clock } from './clock.js';
import type { Disk } from './disk.js';
import { LOG_CAP_BYTES } from './log-cap.js';
import type { AttemptOf, RunFolder } from './run-folder.js';

const CHUNK_BYTES = 64 * 1024;
/** Sent and not acknowledged, per run. */
const LOG_WINDOW_BYTES = 256 * 1024;
const EVENT_WINDOW = 256;
/** How often the output of a running step is looked at. */
const TAIL_MS = 75;

export interface SenderPorts {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Resolves when the stream has room for more. */
  readonly send: (message: NonNullable<FromAgent['message']>) => Promise<void>;
}

/** The output of one attempt, as far as this connection is concerned. */
interface OpenLog extends AttemptOf {
  sent: number;
  acknowledged: number;
}

/**
 * Sends one run's events and output over one connection, read from the disk as the controller takes them. Order: an
 * attempt's output before its StepFinished (or before the next attempt starts), events by number without gaps. Memory:
 * one chunk, one event.
 */
export class Sender {
  readonly #ports: SenderPorts;
  readonly #folder: RunFolder;
  readonly #committedLogs: readonly LogPosition[];
  #sentSeq: number;
  #log: OpenLog | null = null;

  /** `committed` is what the controller says it has: Welcome.resume of this run. */
  constructor(
    ports: SenderPorts,
    folder: RunFolder,
    committed: { seq: number; logs: readonly LogPosition[] },
  ) {
    this.#ports = ports;
    this.#folder = folder;
    this.#committedLogs = committed.logs;
    this.#sentSeq = Math.max(committed.seq, folder.acknowledged);
  }

  /** Sends until `signal` aborts, whose reason it rejects with. */
  async run(signal: AbortSignal): Promise<never> {
    await this.#findOpenLog();
    for (;;) {
      const { version } = this.#folder.changed;
      if (await this.#sendNext(signal)) continue;
      const tail = this.#log === null ? undefined : { clock: this.#ports.clock, ms: TAIL_MS };
      await this.#folder.changed.wait(version, signal, tail);
    }
  }

  logAcknowledged({ step, attempt, offset }: LogPosition): void {
    if (this.#log?.step !== step || this.#log.attempt !== attempt) return;
    this.#log.acknowledged = Math.max(this.#log.acknowledged, offset);
    this.#folder.changed.notify();
  }

  /** Which attempt was going on at the number we go on after. */
  async #findOpenLog(): Promise<void> {
    for (const event of await this.#folder.journal.all()) {
      if (event.seq <= this.#sentSeq) this.#passed(event);
    }
  }

  /** False when there is nothing to send now: no event, no output, or the window is full. */
  async #sendNext(signal: AbortSignal): Promise<boolean> {
    const event = await this.#folder.journal.after(this.#sentSeq);
    if (this.#log !== null && event?.event?.$case !== 'stepNote') {
      const sent = await this.#sendLog(this.#log, event, signal);
      if (sent !== 'all') return sent === 'some';
    }
    if (event === null || this.#sentSeq - this.#folder.acknowledged >= EVENT_WINDOW) return false;
    signal.throwIfAborted();
    this.#passed(event);
    this.#sentSeq = event.seq;
    await this.#ports.send({ $case: 'event', value: event });
    return true;
  }

  /** `all`: nothing is left that must go before `next`; `full`: the window is. */
  async #sendLog(log: OpenLog, next: RunEvent | null, signal: AbortSignal): Promise<'some' | 'all' | 'full'> {
    const { end, truncated } = await this.#sendable(log, next);
    const length = Math.min(end - log.sent, CHUNK_BYTES);
    if (length <= 0) return 'all';
    if (log.sent + length - log.acknowledged > LOG_WINDOW_BYTES) return 'full';
    const data = await this.#ports.disk.readAt(this.#folder.logPath(log), log.sent, length);
    if (data.length === 0) return 'all';
    signal.throwIfAborted();
    const { step, attempt, sent: offset } = log;
    log.sent += data.length;
    const last = truncated && log.sent === end;
    await this.#ports.send({
      $case: 'log',
      value: { runId: this.#folder.runId, step, attempt, offset, data, truncated: last },
    });
    return 'some';
  }

  /**
   * Up to where output may be sent now. The last byte before the cap is held back until it is known whether anything
   * follows it, so that the mark `truncated` always travels with bytes.
   */
  async #sendable(log: OpenLog, next: RunEvent | null): Promise<{ end: number; truncated: boolean }> {
    if (next?.event?.$case === 'stepFinished') {
      return { end: next.event.value.logBytes, truncated: next.event.value.logTruncated };
    }
    const size = await this.#ports.disk.size(this.#folder.logPath(log));
    if (size > LOG_CAP_BYTES) return { end: LOG_CAP_BYTES, truncated: true };
    return { end: Math.min(size, endsAttempt(next) ? LOG_CAP_BYTES : LOG_CAP_BYTES - 1), truncated: false };
  }

  #passed({ event }: RunEvent): void {
    if (event?.$case === 'stepStarted') {
      const { step, attempt } = event.value;
      const offset =
        this.#committedLogs.find((one) => one.step === step && one.attempt === attempt)?.offset ?? 0;
      this.#log = { step, attempt, sent: offset, acknowledged: offset };
    }
    if (event?.$case === 'stepFinished') this.#log = null;
  }
}

/** Whether the output of the attempt before this event is complete. */
function endsAttempt(next: RunEvent | null): boolean {
  return next?.event?.$case === 'stepStarted' || next?.event?.$case === 'runFinished';
}
