import type { Fraise, FraiseEnvironment } from '../../proto/gen/fraisier/v1/control.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import { currentConfiguration } from './configuration.js';
import { isNames, selectHosts } from './select-hosts.js';
import type { Edges } from './edges.js';
import type { AgentRow } from './ledger/agent.js';

/** Everything that can be deployed, its hosts as they are enrolled now, and what the record says is live. */
export async function listFraises({ ledger }: Edges): Promise<readonly Fraise[]> {
  const { configuration } = await currentConfiguration(ledger);
  const agents = await ledger.agents();
  return Promise.all(
    Object.values(configuration.fraises).map(async ({ name, type, description, environments }) => ({
      name,
      type,
      description,
      environments: await Promise.all(
        Object.values(environments).map(async (environment) => {
          const last = await ledger.lastSucceeded(name, environment.name);
          return listed(configuration, environment, agents, last?.commit ?? '');
        }),
      ),
    })),
  );
}

function listed(
  configuration: Configuration,
  environment: Environment,
  agents: readonly AgentRow[],
  liveVersion: string,
): FraiseEnvironment {
  const hosts = selectHosts({ configuration, environment, agents }, []);
  return {
    name: environment.name,
    branch: environment.branch ?? environment.branchPattern ?? '',
    hosts: isNames(hosts) ? hosts : [],
    liveVersion,
    problem: isNames(hosts) ? '' : hosts.message,
  };
}
