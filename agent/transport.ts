import type { FromAgent, ToAgent } from '../proto/gen/fraisier/v1/agent.js';

/** One `Connect` stream to a controller. */
export interface ControllerStream {
  /** Resolves when there is room for more; rejects when the stream is over. Messages leave in the order of the calls. */
  readonly send: (message: NonNullable<FromAgent['message']>) => Promise<void>;
  /** What the controller says, in order; ends with the stream, throws a FraisierError when it broke. Read once. */
  readonly messages: AsyncIterable<ToAgent>;
  /** Ends it at once; harmless when it is over. */
  close(): void;
}

/** Opens a stream to one address. May return before the controller has answered; failures then come from `messages`. */
export type Dial = (address: string) => Promise<ControllerStream>;
