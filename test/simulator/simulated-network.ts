import { AgentWire } from './agent-wire.js';
import { ControllerWire } from './controller-wire.js';
import type { AgentCall } from '../../controller/grpc/agent-inbox.js';
import type { ControllerStream, Dial } from '../../agent/transport.js';
import { FraisierError } from '../../proto/error-codes.js';
import { FromAgent, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { never, type Life } from './life.js';
import { Pipe } from './pipe.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';

/** Where a controller listens, while it does. */
export interface Listener {
  readonly life: Life;
  readonly connect: (call: AgentCall) => void;
}

/** Told of everything that is said. */
export interface Eavesdropper {
  readonly fromAgent: (host: string, controller: string, message: FromAgent) => void;
  readonly toAgent: (host: string, controller: string, message: ToAgent) => void;
}

/** Nobody hears from the other side for so long before a connection counts as broken: keepalive and its answer. */
const DEAF_MS = { least: 20_000, most: 40_000 };

/** The network between hosts and controllers: delays, cuts that swallow everything for a while, ends that are heard late. */
export class SimulatedNetwork {
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #listeners = new Map<string, Listener>();
  readonly #cuts = new Map<string, number>();
  readonly #pipes = new Set<Pipe<unknown>>();
  readonly #eavesdropper: Eavesdropper;
  slowness = { least: 0, most: 40 };

  constructor(schedule: Schedule, random: Random, eavesdropper: Eavesdropper) {
    this.#schedule = schedule;
    this.#random = random;
    this.#eavesdropper = eavesdropper;
  }

  listen(controller: string, listener: Listener): void {
    this.#listeners.set(controller, listener);
  }

  /** Cuts a host off from a controller; several cuts of one line heal one by one. */
  cut(host: string, controller: string): () => void {
    const line = lineOf(host, controller);
    this.#cuts.set(line, (this.#cuts.get(line) ?? 0) + 1);
    return () => {
      this.#cuts.set(line, (this.#cuts.get(line) ?? 1) - 1);
      for (const pipe of this.#pipes) pipe.goOn();
    };
  }

  isCut(host: string, controller: string): boolean {
    return (this.#cuts.get(lineOf(host, controller)) ?? 0) > 0;
  }

  /** How an agent reaches controllers from its host. */
  dialFrom(host: string, life: Life): Dial {
    return async (controller) => {
      await life.work(this.#delay(), () => undefined);
      if (this.isCut(host, controller)) {
        await life.work(this.#random.whole(DEAF_MS.least, DEAF_MS.most), () => undefined);
        throw away(`${controller} cannot be reached`);
      }
      const listener = this.#listeners.get(controller);
      if (listener?.life.alive !== true) throw away(`${controller} refuses connections`);
      return this.#connect(host, life, controller, listener);
    };
  }

  #connect(host: string, life: Life, controller: string, listener: Listener): ControllerStream {
    const ear = this.#eavesdropper;
    const isCut = (): boolean => this.isCut(host, controller);
    const line = { schedule: this.#schedule, delay: () => this.#delay(), isCut };
    const up = new Pipe<FromAgent>(line, FromAgent);
    const down = new Pipe<ToAgent>(line, ToAgent);
    const agentEnd = new AgentWire(life, up, down, (message) => ear.fromAgent(host, controller, message));
    const controllerEnd = new ControllerWire(listener.life, host, controller, down, up, (message) =>
      ear.toAgent(host, controller, message),
    );
    for (const pipe of [up, down]) this.#pipes.add(pipe as Pipe<unknown>);
    const over = (): void => {
      for (const pipe of [up, down]) this.#pipes.delete(pipe as Pipe<unknown>);
    };
    const arriving = (sent: number): number => this.#random.whole(0, sent);
    life.onEnd(() => up.breakOff(arriving));
    listener.life.onEnd(() => down.breakOff(arriving));
    agentEnd.closing = () => up.breakOff(arriving);
    this.#listenForSilence(agentEnd, controllerEnd, isCut, over);
    listener.connect(controllerEnd.call);
    return life.alive ? agentEnd.stream : { send: never, messages: agentEnd.stream.messages, close: over };
  }

  /** Each side finds out by itself, at its own time, that nothing comes through any more. */
  #listenForSilence(
    agent: AgentWire,
    controller: ControllerWire,
    isCut: () => boolean,
    over: () => void,
  ): void {
    let silentSince: number | null = null;
    const patienceOf = (): number => this.#random.whole(DEAF_MS.least, DEAF_MS.most);
    const [agentMs, controllerMs] = [patienceOf(), patienceOf()];
    const look = (): void => {
      if (!isCut()) silentSince = null;
      else silentSince ??= this.#schedule.nowMs;
      const silentMs = silentSince === null ? 0 : this.#schedule.nowMs - silentSince;
      if (silentMs > agentMs) agent.broke();
      if (silentMs > controllerMs) controller.broke();
      if (agent.over && controller.over) return over();
      this.#schedule.after(10_000, look);
    };
    this.#schedule.after(10_000, look);
  }

  #delay(): number {
    return this.#random.whole(this.slowness.least, this.slowness.most);
  }
}

function lineOf(host: string, controller: string): string {
  return `${host} ${controller}`;
}

function away(message: string): FraisierError {
  return new FraisierError('controller_away', message);
}
