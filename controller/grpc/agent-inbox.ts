import type { ServerDuplexStream } from '@grpc/grpc-js';
import { FraisierError } from '../../proto/error-codes.js';
import { FromAgent, type Hello, type ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { Mailbox } from './mailbox.js';

export type AgentCall = ServerDuplexStream<FromAgent, ToAgent>;
export type AgentMessage = NonNullable<FromAgent['message']>;

/** Reading pauses while more than this waits: with the batch in hand, the bound of what one agent can hold in memory. */
const MOST_MESSAGES = 256;
const MOST_BYTES = 1024 * 1024;

/** What one agent says: its hello, then pings apart from all else, so that a lease does not wait behind a flood. */
export class AgentInbox {
  readonly pings = new Mailbox<number>();
  /** How many pings came so far. */
  pinged = 0;
  readonly #call: AgentCall;
  readonly #messages = new Mailbox<AgentMessage>();
  readonly #hello = new Mailbox<AgentMessage>();
  #received = 0;
  #waiting = 0;
  #bytes = 0;

  constructor(call: AgentCall) {
    this.#call = call;
    call.on('data', (message: FromAgent) => this.#receive(message));
    call.on('end', () => this.close());
  }

  /** True while reading is paused: the agent's silence is of our making. */
  get isFull(): boolean {
    return this.#waiting >= MOST_MESSAGES || this.#bytes >= MOST_BYTES;
  }

  /** The first message. Throws FraisierError `protocol_violation` when it is no hello. */
  async hello(signal: AbortSignal): Promise<Hello> {
    const first = (await this.#hello.take(signal))?.[0];
    if (first?.$case === 'hello') return first.value;
    throw new FraisierError(
      'protocol_violation',
      `the first message was ${first?.$case ?? 'none'} instead of hello`,
    );
  }

  /** All that waits, in order; null once the agent has ended its side and everything was taken. */
  async take(signal: AbortSignal): Promise<readonly AgentMessage[] | null> {
    const taken = await this.#messages.take(signal);
    this.#waiting = 0;
    this.#bytes = 0;
    this.#call.resume();
    return taken;
  }

  close(): void {
    for (const mailbox of [this.#hello, this.#messages, this.pings]) mailbox.close();
  }

  #receive({ message }: FromAgent): void {
    this.#received += 1;
    if (message === undefined) return;
    if (this.#received === 1) {
      this.#hello.put(message);
    } else if (message.$case === 'ping') {
      this.pinged += 1;
      this.pings.put(message.value.number);
    } else {
      this.#keep(message);
    }
  }

  #keep(message: AgentMessage): void {
    this.#waiting += 1;
    this.#bytes += sizeOf(message);
    this.#messages.put(message);
    if (this.isFull) this.#call.pause();
  }
}

/** As it came over the wire, all but the frame of a log: anything an agent says can be made large. */
function sizeOf(message: AgentMessage): number {
  if (message.$case === 'log') return message.value.data.length;
  return FromAgent.encode({ message }).finish().length;
}
