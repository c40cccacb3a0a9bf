import type { ControlServer } from '../../proto/gen/fraisier/v1/control.js';
import { createJoinToken } from '../pki/create-join-token.js';
import { revokeAgent } from '../pki/revoke-agent.js';
import { hostOfAuthority } from './authority.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packAgent } from './pack.js';

type Handlers = Pick<ControlServer, 'listAgents' | 'createJoinToken' | 'revokeAgent'>;

/** The hosts, and who may become one. */
export function agentHandlers(deps: ControlEdges, gate: Gate): Handlers {
  const { ledger } = deps.edges;
  return {
    listAgents: unary(gate, 'viewer', async () => {
      const now = await ledger.now();
      return { agents: (await ledger.agents()).map((row) => packAgent(row, now)) };
    }),
    createJoinToken: unary(gate, 'admin', (request, { actor, authority }) => {
      const tokens = { ledger, fingerprint: deps.authority.fingerprint, randomBytes: deps.randomBytes };
      const controller = deps.ownAddress(hostOfAuthority(authority));
      return createJoinToken(tokens, { ...request, controller }, actor);
    }),
    revokeAgent: unary(gate, 'admin', async ({ name }, { actor }) =>
      packAgent(await revokeAgent({ ledger }, name, actor), await ledger.now()),
    ),
  };
}
