import type { Exec, ExecEnd, ExecSpec } from '../../agent/exec/exec.js';
import type { Life } from './life.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';

/** What a command does, as the host plays it. */
export interface Play {
  readonly lastsMs: number;
  readonly ends: ExecEnd;
  /** Printed at the end: to the captured output, or else to the log. */
  readonly prints: string;
  /** What it changed when it was stopped after this part of its time; 1: it came to its end. */
  readonly effect: (part: number) => void;
  /** Ends on SIGKILL only. */
  readonly deaf: boolean;
}

/** One command, for as long as the host remembers it. */
export interface Running {
  readonly spec: ExecSpec;
  readonly play: Play;
  readonly startedAtMs: number;
  end: ExecEnd | null;
  readonly callOff: () => void;
  readonly waiting: Set<() => void>;
}

export interface ProcessPorts {
  readonly schedule: Schedule;
  readonly random: Random;
  /** Writes what a command prints. */
  readonly print: (path: string, text: string) => void;
  readonly playOf: (spec: ExecSpec) => Play;
  readonly onStart: (spec: ExecSpec) => void;
  readonly onEnd: (spec: ExecSpec, end: ExecEnd) => void;
}

const LATE_START_MS = 900;

/** The commands of one host. They outlive every agent, and end with the power. */
export class SimulatedProcesses {
  readonly kind: Exec['kind'];
  readonly #ports: ProcessPorts;
  readonly #running = new Map<string, Running>();
  #boot = 0;

  constructor(kind: Exec['kind'], ports: ProcessPorts) {
    this.kind = kind;
    this.#ports = ports;
  }

  get alive(): readonly Running[] {
    return [...this.#running.values()].filter(({ end }) => end === null);
  }

  /** Results that lie on the disk are found again; units are gone. */
  powerCut(): void {
    this.#boot += 1;
    for (const one of this.alive) this.#breakOff(one);
    for (const [id, { end }] of this.#running) {
      if (this.kind === 'transient_unit' || end?.ended === 'absent') this.#running.delete(id);
    }
  }

  /** The executor of one start of the agent. */
  seenBy(life: Life): Exec {
    const { random } = this.#ports;
    return {
      kind: this.kind,
      start: (spec) => {
        const boot = this.#boot;
        return life.work(random.whole(1, 60), () => this.#start(spec, life, boot));
      },
      look: (spec) => life.now(this.#look(spec)),
      wait: (spec, signal) => this.#wait(life, spec, signal),
      stop: (spec) => this.#stop(life, spec),
      forget: (spec) => life.work(random.whole(0, 20), () => this.#forget(spec)),
    };
  }

  /** A `systemd-run` that outlives the agent may start its unit a moment later. */
  #start(spec: ExecSpec, life: Life, boot: number): void {
    const { random, schedule } = this.#ports;
    if (life.alive) return this.#begin(spec);
    const lateMs = this.kind === 'transient_unit' ? random.whole(0, LATE_START_MS) : 0;
    schedule.after(lateMs, () => {
      if (boot === this.#boot) this.#begin(spec);
    });
  }

  #begin(spec: ExecSpec): void {
    const { schedule, playOf, onStart } = this.#ports;
    if (this.#running.has(spec.id)) return;
    onStart(spec);
    const play = playOf(spec);
    const one: Running = {
      spec,
      play,
      startedAtMs: schedule.nowMs,
      end: null,
      waiting: new Set(),
      callOff: schedule.after(play.lastsMs, () => {
        play.effect(1);
        this.#end(one, play.ends);
      }),
    };
    this.#running.set(spec.id, one);
  }

  #end(one: Running, end: ExecEnd): void {
    const { spec, play } = one;
    if (play.prints !== '') this.#ports.print(spec.captureFile ?? spec.outputFile, play.prints);
    one.end = end;
    this.#ports.onEnd(spec, end);
    for (const tell of one.waiting) tell();
    one.waiting.clear();
  }

  #breakOff(one: Running, end: ExecEnd = { ended: 'absent' }): void {
    one.callOff();
    const { play, startedAtMs } = one;
    play.effect(Math.min(0.99, (this.#ports.schedule.nowMs - startedAtMs) / Math.max(1, play.lastsMs)));
    one.end = end;
    this.#ports.onEnd(one.spec, end);
    for (const tell of one.waiting) tell();
    one.waiting.clear();
  }

  #look({ id }: ExecSpec): ExecEnd | { readonly ended: 'running' } {
    const one = this.#running.get(id);
    if (one === undefined) return { ended: 'absent' };
    return one.end ?? { ended: 'running' };
  }

  async #wait(life: Life, spec: ExecSpec, signal: AbortSignal): Promise<ExecEnd> {
    const one = this.#running.get(spec.id);
    if (one === undefined) return life.work(1, () => ({ ended: 'absent' }));
    if (one.end === null) await untilTold(one, signal);
    signal.throwIfAborted();
    return life.work(this.#ports.random.whole(0, 100), () => one.end ?? { ended: 'absent' });
  }

  async #stop(life: Life, { id, graceMs }: ExecSpec): Promise<void> {
    const { random, schedule } = this.#ports;
    const one = this.#running.get(id);
    if (one === undefined || one.end !== null) return life.work(1, () => undefined);
    const takesMs = one.play.deaf ? graceMs : random.whole(1, 1500);
    schedule.after(takesMs, () => {
      if (one.end !== null) return;
      this.#breakOff(one, { ended: 'signalled', signal: one.play.deaf ? 'SIGKILL' : 'SIGTERM' });
    });
    await life.work(takesMs + 50, () => undefined);
  }

  #forget({ id }: ExecSpec): void {
    const one = this.#running.get(id);
    if (one?.end === null) this.#breakOff(one);
    this.#running.delete(id);
  }
}

function untilTold(one: Running, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (): void => {
      one.waiting.delete(told);
      reject(signal.reason as Error);
    };
    const told = (): void => {
      signal.removeEventListener('abort', over);
      resolve();
    };
    if (signal.aborted) return over();
    signal.addEventListener('abort', over, { once: true });
    one.waiting.add(told);
  });
}
