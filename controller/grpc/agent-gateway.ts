import { FraisierError } from '../../proto/error-codes.js';
import type { AgentGatewayServer } from '../../proto/gen/fraisier/v1/agent.js';
import { dispatchRuns } from '../deployments/dispatch-runs.js';
import type { Edges } from '../deployments/edges.js';
import { inGroups, inGroupsByKey } from '../deployments/in-groups.js';
import {
  recordProgress,
  type Lease,
  type ProgressMessage,
  type Report,
} from '../deployments/record-progress.js';
import { converse } from './agent-conversation.js';
import type { AgentCall } from './agent-inbox.js';
import { atMost } from './at-most.js';
import type { Gateway, GatewayEdges } from './gateway-edges.js';
import { oneAtATime } from './one-at-a-time.js';

/** Of the ten connections that a controller has to the database; the rest is for everybody else. */
const TRANSACTIONS_AT_ONCE = 6;

/** More would hold their rows too long; and a database that is away is away for each of them. */
const GROUPS = {
  most: 100,
  heaviest: 4 * 1024 * 1024,
  isOfOne: (error: unknown) => !(error instanceof FraisierError && error.reason.code === 'database_away'),
};

export interface AgentGateway {
  readonly service: AgentGatewayServer;
  /** Says Drain, then Goodbye, to every agent; resolves when all streams have ended and their leases are given back. */
  drain(): Promise<void>;
}

/** The controller's side of the conversation with agents (agent.proto). */
export function agentGateway(edges: GatewayEdges): AgentGateway {
  const deps = { ...edges, ...together(edges.edges), resuming: oneAtATime() };
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

/**
 * What agents say of one deployment at the same time is recorded together: in the database they would wait for each other.
 * Those that look for work at the same time get it together.
 */
function together(edges: Edges): Pick<Gateway, 'dispatch' | 'record'> {
  const inTurn = atMost(TRANSACTIONS_AT_ONCE);
  const record = (reports: readonly Report[]) => inTurn(() => recordProgress(edges, reports));
  const dispatch = (streams: readonly Lease[]) => inTurn(() => dispatchRuns(edges, streams));
  const weigh = ({ messages }: Report) => messages.reduce((sum, message) => sum + weightOf(message), 0);
  return {
    record: inGroupsByKey(record, { ...GROUPS, weigh }),
    dispatch: inGroups(dispatch, { ...GROUPS, weigh: () => 0 }),
  };
}

/** Events are small, and bounded by what one message may be. */
function weightOf({ $case, value }: ProgressMessage): number {
  return $case === 'log' ? value.data.length : 1024;
}
