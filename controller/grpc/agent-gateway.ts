import type { AgentGatewayServer } from '../../proto/gen/fraisier/v1/agent.js';
import { converse } from './agent-conversation.js';
import type { AgentCall } from './agent-inbox.js';
import { atMost } from './at-most.js';
import type { GatewayEdges } from './gateway-edges.js';

/**
 * Reports on one deployment wait for each other in the database: more at once would only take the connections that
 * everybody else needs.
 */
const TRANSACTIONS_AT_ONCE = 4;

export interface AgentGateway {
  readonly service: AgentGatewayServer;
  /** Says Drain, then Goodbye, to every agent; resolves when all streams have ended and their leases are given back. */
  drain(): Promise<void>;
}

/** The controller's side of the conversation with agents (agent.proto). */
export function agentGateway(edges: GatewayEdges): AgentGateway {
  const deps = { ...edges, inTurn: atMost(TRANSACTIONS_AT_ONCE) };
  const draining = new AbortController();
  const conversations = new Set<Promise<void>>();
  const connect = (call: AgentCall): void => {
    const conversation = converse(deps, call, draining.signal).finally(() =>
      conversations.delete(conversation),
    );
    conversations.add(conversation);
  };
  const drain = async (): Promise<void> => {
    draining.abort();
    await Promise.all(conversations);
  };
  return { service: { connect }, drain };
}
