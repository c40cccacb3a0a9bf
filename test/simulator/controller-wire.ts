import { EventEmitter } from 'node:events';
import type { AgentCall } from '../../controller/grpc/agent-inbox.js';
import type { FromAgent, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Life } from './life.js';
import type { Pipe } from './pipe.js';

/** Later than any enrolment. */
const ISSUED = 'May  2 00:00:00 2026 GMT';

/** The controller's end of a connection: as much of a grpc-js call as the gateway uses. */
export class ControllerWire {
  readonly call: AgentCall;
  readonly #events = new EventEmitter();
  readonly #down: Pipe<ToAgent>;
  #over = false;

  constructor(
    life: Life,
    host: string,
    controller: string,
    down: Pipe<ToAgent>,
    up: Pipe<FromAgent>,
    overheard: (message: ToAgent) => void,
  ) {
    this.#down = down;
    up.take = (message) => {
      if (life.alive && !this.#over) this.#events.emit('data', message);
    };
    up.ended = () => {
      if (life.alive && !this.#over) this.#events.emit('end');
    };
    up.broken = () => {
      if (life.alive) this.broke();
    };
    down.drained = () => {
      if (life.alive) this.#events.emit('drain');
    };
    const write = (message: ToAgent): boolean => {
      if (!life.alive || this.#over) return true;
      overheard(message);
      return down.put(message);
    };
    const own = {
      write,
      end: () => this.#finish(),
      pause: () => up.pause(),
      resume: () => up.resume(),
      getHost: () => `${controller}:9091`,
      getAuthContext: () => ({
        sslPeerCertificate: { subjectaltname: `URI:fraisier://agent/${host}`, valid_from: ISSUED },
      }),
    };
    this.call = Object.assign(this.#events, own) as unknown as AgentCall;
  }

  get over(): boolean {
    return this.#over;
  }

  broke(): void {
    if (this.#over) return;
    this.#over = true;
    this.#down.breakOff();
    this.#events.emit('cancelled');
    this.#events.emit('close');
  }

  #finish(): void {
    this.#down.end();
    this.#over = true;
  }
}
