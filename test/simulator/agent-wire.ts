import type { ControllerStream } from '../../agent/transport.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { FromAgent, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { never, type Life } from './life.js';
import type { Pipe } from './pipe.js';

/** The agent's end of a connection, as `dial.ts` would give it. */
export class AgentWire {
  readonly stream: ControllerStream;
  readonly #up: Pipe<FromAgent>;
  readonly #received: ToAgent[] = [];
  readonly #room: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #wake: () => void = () => undefined;
  #end: 'ended' | FraisierError | null = null;
  /** What becomes of what was sent when the agent ends the stream. */
  closing: () => void = () => this.#up.breakOff();

  constructor(life: Life, up: Pipe<FromAgent>, down: Pipe<ToAgent>, overheard: (message: FromAgent) => void) {
    this.#up = up;
    down.take = (message) => {
      if (!life.alive || this.#end !== null) return;
      this.#received.push(message);
      this.#wake();
    };
    down.ended = () => this.#over('ended');
    down.broken = () => this.broke();
    up.drained = () => {
      for (const { resolve } of this.#room.splice(0)) resolve();
    };
    this.stream = {
      send: (message) => {
        if (!life.alive) return never();
        if (this.#end !== null) return Promise.reject(overError());
        overheard({ message });
        return up.put({ message }) ? Promise.resolve() : this.#untilRoom();
      },
      messages: this.#messages(),
      close: () => {
        this.#over(overError());
        this.closing();
      },
    };
  }

  get over(): boolean {
    return this.#end !== null;
  }

  broke(): void {
    this.#over(new FraisierError('controller_away', 'the connection broke'));
    this.#up.breakOff();
  }

  #over(end: 'ended' | FraisierError): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#wake();
    for (const { reject } of this.#room.splice(0)) reject(overError());
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#room.push({ resolve, reject });
    });
  }

  async *#messages(): AsyncGenerator<ToAgent> {
    for (;;) {
      const next = this.#received.shift();
      if (next !== undefined) {
        yield next;
      } else if (this.#end === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        if (this.#end === 'ended') return;
        throw this.#end;
      }
    }
  }
}

function overError(): FraisierError {
  return new FraisierError('controller_away', 'the stream is over');
}
