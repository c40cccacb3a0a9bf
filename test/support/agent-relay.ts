import { createSecureServer } from 'node:http2';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { systemDisk } from '../../agent/disk.js';
import { IdentityStore } from '../../agent/identity.js';
import { authorityStore } from '../../controller/db/authority.js';
import { openDatabase } from '../../controller/db/database.js';
import { openAuthority, type CertificateAuthority } from '../../controller/pki/certificate-authority.js';
import { parseAddress } from '../../proto/address.js';
import type { Cluster } from './cluster.js';
import { GrpcRelay, type Judge } from './grpc-relay.js';

/** Where the relay listens, on the same port as the controller: to be advertised by it. All of 127/8 is this machine. */
export const RELAY_HOST = '127.0.0.2';

/**
 * A relay between one agent and its controller, who take it for each other: it has a certificate of their authority, and the
 * agent's own key. For a cluster that advertises `RELAY_HOST`, before the agent is added.
 */
export async function relayToAgents(cluster: Cluster, agent: string, judge: Judge): Promise<GrpcRelay> {
  const { host, port } = parseAddress(cluster.agentsPort, 0);
  const authority = await authorityOf(cluster);
  const { privateKeyPem, chainPem } = await authority.issueServer([RELAY_HOST], new Date());
  const identities = identitiesOf(cluster, agent);
  const ca = authority.certificatePem;
  const own = { key: privateKeyPem, cert: chainPem, ca };
  const server = createSecureServer({ ...own, requestCert: true, rejectUnauthorized: true });
  const dial = async () => {
    const { keyPem: key, certificatePem: cert } = await identities.valid(new Date());
    return connect({ host, port, key, cert, ca, ALPNProtocols: ['h2'] });
  };
  return GrpcRelay.listen({ server, dial, judge }, { host: RELAY_HOST, port });
}

/** The state folder of an agent. */
export function agentState({ folder }: Cluster, agent: string): string {
  return join(folder, 'agents', agent, 'state');
}

/** The identity of an agent, as it keeps it. */
export function identitiesOf(cluster: Cluster, agent: string): IdentityStore {
  return new IdentityStore(systemDisk, agentState(cluster, agent));
}

/** The cluster's own, which needs a database whose URL is known. */
export async function authorityOf({ folder, databaseUrl }: Cluster): Promise<CertificateAuthority> {
  if (databaseUrl === undefined) throw new Error('the authority is in the database, whose URL is not known');
  const db = openDatabase({ url: databaseUrl });
  try {
    return await openAuthority(authorityStore(db), join(folder, 'controller', 'key'), new Date());
  } finally {
    await db.destroy();
  }
}
