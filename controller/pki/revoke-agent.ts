import { FraisierError } from '../../proto/error-codes.js';
import type { Actor } from '../deployments/edges.js';
import type { Ledger } from '../deployments/ledger.js';
import type { AgentRow } from '../deployments/ledger/agent.js';

/** Shuts an agent out at once: its stream ends, its certificate opens nothing any more. Throws `unknown_agent`. */
export async function revokeAgent(
  { ledger }: { readonly ledger: Ledger },
  name: string,
  actor: Actor,
): Promise<AgentRow> {
  return ledger.transaction(async (tx) => {
    const known = await tx.agent(name);
    if (known === null)
      throw new FraisierError('unknown_agent', `there is no agent ${name}`, { hint: 'fraisier agents' });
    if (await tx.revokeAgent(name)) {
      await tx.audit({ actor: actor.name, action: 'agent_revoked', subject: name, facts: {} });
      await tx.wake({ about: 'host', name });
    }
    return (await tx.agent(name)) ?? known;
  });
}
