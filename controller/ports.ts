import { randomBytes } from 'node:crypto';
import { atHost, certificateNames, hostsToTell, isLoopback, type Machine } from './addresses.js';
import type { Closers } from './closers.js';
import type { ControllerConfig } from './config.js';
import { isDatabaseAway } from './db/database.js';
import type { Edges } from './deployments/edges.js';
import type { ControlEdges } from './grpc/control-edges.js';
import { PATIENCE, type GatewayEdges } from './grpc/gateway-edges.js';
import { openServerIdentity, type ServerIdentity } from './grpc/server-identity.js';
import { startAgentsPort, startCallersPort, startLocalSocket } from './grpc/server.js';
import { startHttp } from './http/server.js';
import type { Logger } from './logger.js';
import type { Storage } from './open-storage.js';
import type { CertificateAuthority } from './pki/certificate-authority.js';
import { registerWithOthers, type Colleagues } from './register.js';

/** All that the parts of this controller share. */
export interface Core {
  readonly config: ControllerConfig;
  readonly logger: Logger;
  readonly storage: Storage;
  readonly edges: Edges;
  readonly authority: CertificateAuthority;
  readonly controllerId: string;
  readonly version: string;
  readonly machine: Machine;
}

/** Where this controller listens, with the ports that were taken. */
export interface Ports {
  readonly http: string;
  readonly grpc: string;
  readonly agents: string;
  readonly socket: string;
  /** The address to log in to from elsewhere. */
  readonly login: string;
}

/** Opens everything that listens. Agents first: whoever enrols over the callers' port is told where they are. */
export async function startPorts(core: Core, closers: Closers): Promise<Ports> {
  const { config, logger, edges } = core;
  const identity = await serverIdentity(core, closers);
  const { agents, gateway } = await openAgentsPort(core, identity, closers);
  const listening = { http: config.http };
  const webhooksAt = () => whereWebhooksArrive(core, listening.http);
  const callers = await openCallersPorts(core, { ...gateway, webhooksAt }, identity, closers);
  const http = await startHttp({
    edges,
    address: config.http,
    logger,
    databaseAway: isDatabaseAway,
    drainMs: 3_000,
    ...config.door,
  });
  closers.push('http', () => http.close());
  listening.http = http.address;
  return { http: http.address, agents, ...callers };
}

async function serverIdentity(core: Core, closers: Closers): Promise<ServerIdentity> {
  const { authority, config, edges, logger, machine } = core;
  const names = certificateNames(config.advertise, [config.grpc, config.agents], machine);
  const now = (): Date => new Date();
  const identity = await openServerIdentity({ authority, names, after: edges.after, now, logger });
  closers.push('server identity', () => identity.close());
  return identity;
}

async function openAgentsPort(
  core: Core,
  identity: ServerIdentity,
  closers: Closers,
): Promise<{ agents: string; gateway: GatewayEdges }> {
  const { authority, config, controllerId, edges, logger, machine, storage, version } = core;
  const own = (listening: string, seenAs: string): string[] =>
    hostsToTell(config.advertise, listening, seenAs, machine).map((host) => atHost(host, listening));
  const known: { address: string; colleagues?: Colleagues } = { address: config.agents };
  const controllers = async (seenAs: string): Promise<readonly string[]> => {
    const others = (await known.colleagues?.addresses()) ?? [];
    return [...new Set([...own(known.address, seenAs), ...others])];
  };
  const gateway = { edges, authority, logger, controllerId, controllers, patience: PATIENCE };
  const agents = await startAgentsPort(gateway, identity, config.agents);
  closers.push('agents port', () => agents.close());
  known.address = agents.address;
  const registration = {
    id: controllerId,
    version,
    advertised: own(agents.address, ''),
    after: edges.after,
    logger,
  };
  const colleagues = await registerWithOthers(storage.db, registration);
  known.colleagues = colleagues;
  closers.push('registration', () => colleagues.close());
  return { agents: agents.address, gateway };
}

async function openCallersPorts(
  { config, machine, storage, version }: Core,
  gateway: GatewayEdges & Pick<ControlEdges, 'webhooksAt'>,
  identity: ServerIdentity,
  closers: Closers,
): Promise<Pick<Ports, 'grpc' | 'socket' | 'login'>> {
  const ending = new AbortController();
  const known = { address: config.grpc };
  const ownAddress = (seenAs: string): string => {
    const [host = ''] = hostsToTell(
      config.advertise,
      known.address,
      isLoopback(seenAs) ? '' : seenAs,
      machine,
    );
    return atHost(host, known.address);
  };
  const now = (): Date => new Date();
  const mine = { records: storage.records, version, randomBytes, now, ownAddress, closing: ending.signal };
  const callers = await startCallersPort({ ...gateway, ...mine }, identity, config.grpc);
  closers.push('callers port', () => callers.close());
  known.address = callers.address;
  const socket = await startLocalSocket({ ...gateway, ...mine }, config.socket);
  closers.push('local socket', () => socket.close());
  closers.push('open calls', () => ending.abort());
  return { grpc: callers.address, socket: socket.address, login: ownAddress('') };
}

/** The public address, or the one listened on, with what is missing to make it the public one. */
function whereWebhooksArrive(
  { config, machine }: Core,
  listening: string,
): ReturnType<ControlEdges['webhooksAt']> {
  if (config.publicUrl !== null) return { url: config.publicUrl, note: '' };
  const [host = ''] = hostsToTell(config.advertise, listening, '', machine);
  return {
    url: `http://${atHost(host, listening)}`,
    note: 'this is where the controller listens; git hosts need an https address that reaches it: say it with --public-url',
  };
}
