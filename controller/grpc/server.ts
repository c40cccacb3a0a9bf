import { chmod } from 'node:fs/promises';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import { AgentGatewayService } from '../../proto/gen/fraisier/v1/agent.js';
import { ControlService } from '../../proto/gen/fraisier/v1/control.js';
import { EnrollmentService } from '../../proto/gen/fraisier/v1/enrollment.js';
import { agentGateway } from './agent-gateway.js';
import { identifyByToken, identifyLocal } from './authenticate.js';
import { bindPort, bindSocket, newServer } from './bind.js';
import type { ControlEdges } from './control-edges.js';
import { controlService } from './control.js';
import { enrollmentService } from './enrollment.js';
import type { GatewayEdges } from './gateway-edges.js';
import { addReflection } from './reflection.js';
import type { ServerIdentity } from './server-identity.js';
import { claimSocket } from './unix-socket.js';

/** A listening server. */
export interface Bound {
  /** `HOST:PORT` with the port that was taken, or the socket's path. */
  readonly address: string;
  /** Ends what goes on, for at most two seconds gracefully. */
  close(): Promise<void>;
}

const GRACE_MS = 2_000;

/** For people, CI and enrolment: server TLS, API tokens, reflection. */
export async function startCallersPort(
  deps: ControlEdges,
  identity: ServerIdentity,
  address: string,
): Promise<Bound> {
  const server = newServer();
  server.addService(ControlService, controlService(deps, identifyByToken(deps.records, deps.now)));
  server.addService(EnrollmentService, enrollmentService(deps));
  addReflection(server);
  const bound = await bindPort(server, { address, flag: '--grpc' }, identity.forCallers);
  return { address: bound, close: () => shutDown(server) };
}

/** For agents: mutual TLS. Closing it sends every agent elsewhere first. */
export async function startAgentsPort(
  deps: GatewayEdges,
  identity: ServerIdentity,
  address: string,
): Promise<Bound> {
  const server = newServer({ 'grpc.max_concurrent_streams': 16 });
  const gateway = agentGateway(deps);
  server.addService(AgentGatewayService, gateway.service);
  const bound = await bindPort(server, { address, flag: '--agents' }, identity.forAgents);
  const close = async (): Promise<void> => {
    await gateway.drain();
    await shutDown(server);
  };
  return { address: bound, close };
}

/** For the command line on this machine: whoever can open the socket is `local`, with the role admin. */
export async function startLocalSocket(deps: ControlEdges, path: string): Promise<Bound> {
  const release = await claimSocket(path);
  const server = newServer();
  server.addService(ControlService, controlService(deps, identifyLocal));
  try {
    await bindSocket(server, path, ServerCredentials.createInsecure());
    await chmod(path, 0o660);
  } catch (error) {
    await release();
    throw error;
  }
  const close = async (): Promise<void> => {
    await shutDown(server);
    await release();
  };
  return { address: path, close };
}

async function shutDown(server: Server): Promise<void> {
  const force = setTimeout(() => server.forceShutdown(), GRACE_MS);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(force);
}
