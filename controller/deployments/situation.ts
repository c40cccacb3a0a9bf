import type { Situation } from './decide.js';
import type { Edges } from './edges.js';
import type { DeploymentRow, Ledger } from './ledger.js';

/** What is decided from, about a deployment as it was just read. */
export async function situationOf(
  { leaseMs }: Pick<Edges, 'leaseMs'>,
  ledger: Ledger,
  deployment: DeploymentRow,
): Promise<Situation> {
  const hosts = (await ledger.agents()).map(({ name, leaseExpiresAt, lastSeenAt }) => {
    const validUntil = lastSeenAt === null ? null : new Date(lastSeenAt.getTime() + leaseMs);
    return { name, leaseExpiresAt, validUntil };
  });
  return { deployment, runs: await ledger.runsOf(deployment.id), hosts, now: await ledger.now() };
}
