import { FraisierError } from '../../proto/error-codes.js';
import { checkAdmitted, type AgentStream } from './admit-agent.js';
import type { AgentInbox } from './agent-inbox.js';
import type { GatewayEdges } from './gateway-edges.js';
import type { Outbox } from './outbox.js';
import { sleepUntilAborted } from './sleep.js';

const LOOKS_PER_LEASE = 4;

/** Renews the lease for every ping and answers after that commit. Throws FraisierError `agent_replaced`, `agent_revoked`. */
export async function keepLease(
  deps: GatewayEdges,
  stream: AgentStream,
  inbox: AgentInbox,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<void> {
  for (
    let numbers = await inbox.pings.take(signal);
    numbers !== null;
    numbers = await inbox.pings.take(signal)
  ) {
    const { ledger, leaseMs } = deps.edges;
    if (!(await ledger.renewLease(stream.agent, stream.epoch, leaseMs))) await whyLost(deps, stream);
    await outbox({ message: { $case: 'pong', value: { number: Math.max(...numbers) } } });
  }
}

/** Ends the stream when no ping came for the length of a lease; while we do not read, silence is our own making. */
export async function watchSilence(
  { edges }: GatewayEdges,
  inbox: AgentInbox,
  signal: AbortSignal,
): Promise<void> {
  let heard = inbox.pinged;
  for (let silent = 0; silent < LOOKS_PER_LEASE; silent += 1) {
    await sleepUntilAborted(edges, edges.leaseMs / LOOKS_PER_LEASE, signal);
    if (signal.aborted) return;
    if (inbox.pinged !== heard || inbox.isFull) silent = -1;
    heard = inbox.pinged;
  }
  throw new FraisierError('agent_away', `no ping came from the agent for ${edges.leaseMs} ms`);
}

async function whyLost(deps: GatewayEdges, stream: AgentStream): Promise<never> {
  await checkAdmitted(deps, stream);
  throw new FraisierError('agent_replaced', `the lease of ${stream.agent} is another connection's`);
}
