import type { Situation } from './decide.js';
import type { Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';

/** So many leases after a controller began to listen, whoever can come has come: agents try again at least every 30 s. */
const LEASES_TO_COME = 2;

/** What is decided from, about a deployment as it was just read. */
export async function situationOf(
  edges: Pick<Edges, 'leaseMs' | 'listening'>,
  ledger: Ledger,
  deployment: DeploymentRow,
): Promise<Situation> {
  const hosts = (await ledger.agents()).map(({ name, leaseExpiresAt, lastSeenAt }) => {
    const validUntil = lastSeenAt === null ? null : new Date(lastSeenAt.getTime() + edges.leaseMs);
    return { name, leaseExpiresAt, validUntil };
  });
  const now = await ledger.now();
  const runs = await ledger.runsOf(deployment.id);
  return { deployment, runs, hosts, now, isGathering: isGathering(edges, now) };
}

/** Whether hosts that seem to be away may only not have found this controller yet. */
export function isGathering(
  { leaseMs, listening }: Pick<Edges, 'leaseMs' | 'listening'>,
  now: Date,
): boolean {
  if (listening === undefined) return false;
  return listening.since === null || now.getTime() < listening.since.getTime() + LEASES_TO_COME * leaseMs;
}
