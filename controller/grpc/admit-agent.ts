import { FraisierError } from '../../proto/error-codes.js';
import type { Hello } from '../../proto/gen/fraisier/v1/agent.js';
import { protocolMismatch } from '../../proto/protocol-version.js';
import type { AgentRow } from '../deployments/ledger/agent.js';
import { agentNameOf, BACKDATED_MS } from '../pki/certificates.js';
import type { AgentCall } from './agent-inbox.js';
import type { GatewayEdges } from './gateway-edges.js';
import { streamRuns, type StreamRuns } from './stream-runs.js';

/** Certificates carry whole seconds, and the clocks of controllers and database differ a little. */
const CLOCK_TOLERANCE_MS = 5_000;

export interface Peer {
  readonly name: string;
  readonly issuedAt: Date;
}

/** One agent's stream while it is the newest. */
export interface AgentStream {
  readonly agent: string;
  readonly epoch: number;
  readonly runs: StreamRuns;
}

/** Who calls, from the verified certificate alone. Throws FraisierError `unauthenticated`. */
export function identifyPeer(call: Pick<AgentCall, 'getAuthContext'>): Peer {
  const certificate = call.getAuthContext().sslPeerCertificate;
  const name = agentNameOf(certificate?.subjectaltname);
  if (certificate === undefined || name === null) {
    throw new FraisierError('unauthenticated', 'the certificate presented is not one of an agent');
  }
  return { name, issuedAt: new Date(Date.parse(certificate.valid_from) + BACKDATED_MS) };
}

/**
 * Takes the lease for an enrolled agent that speaks our protocol. Throws FraisierError `unknown_agent`,
 * `agent_revoked`, `unauthenticated` or `protocol_mismatch`.
 */
export async function admitAgent(deps: GatewayEdges, peer: Peer, hello: Hello): Promise<AgentStream> {
  const { ledger, leaseMs } = deps.edges;
  checkRow(peer, await ledger.agent(peer.name));
  const mismatch = protocolMismatch(hello.protocolVersion, 'controller', 'agent');
  if (mismatch !== undefined) throw new FraisierError('protocol_mismatch', mismatch);
  const { agentVersion, bootId, instanceId, live } = hello;
  const lease = { controllerId: deps.controllerId, leaseMs, agentVersion, bootId, instanceId, live };
  const epoch = await ledger.takeLease(peer.name, lease);
  if (epoch === null) throw revoked(peer.name);
  await ledger.wake({ about: 'host', name: peer.name });
  return { agent: peer.name, epoch, runs: streamRuns(ledger) };
}

/** Whether this stream is still the agent's. Throws FraisierError `agent_replaced` or `agent_revoked`. */
export async function checkAdmitted({ edges }: GatewayEdges, { agent, epoch }: AgentStream): Promise<void> {
  const row = await edges.ledger.agent(agent);
  if (row === null || row.revokedAt !== null) throw revoked(agent);
  if (row.epoch !== epoch)
    throw new FraisierError('agent_replaced', `a newer connection of ${agent} took over`);
}

function checkRow(peer: Peer, row: AgentRow | null): void {
  if (row === null) {
    throw new FraisierError('unknown_agent', `no agent ${peer.name} is enrolled with this controller`, {
      hint: `fraisier agents token --name ${peer.name}`,
    });
  }
  if (row.revokedAt !== null) throw revoked(peer.name);
  if (peer.issuedAt.getTime() + CLOCK_TOLERANCE_MS < row.enrolledAt.getTime()) {
    throw new FraisierError(
      'unauthenticated',
      `${peer.name} was enrolled again since this certificate was issued`,
    );
  }
}

function revoked(name: string): FraisierError {
  return new FraisierError('agent_revoked', `the agent ${name} was revoked`, {
    hint: `to let it in again: fraisier agents token --name ${name}`,
  });
}
