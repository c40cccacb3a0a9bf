import type { ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { send } from '../../proto/stream.js';
import type { AgentCall } from './agent-inbox.js';

/** Writes one message and waits for room: at most one message per loop is held back. */
export type Outbox = (message: ToAgent) => Promise<void>;

/** Writes to this call until `signal` aborts; what waits for room then throws. */
export function writeTo(call: AgentCall, signal: AbortSignal): Outbox {
  return (message) => send(call, message, signal);
}
