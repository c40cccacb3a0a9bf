import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import { allEnvironments, type Configuration, type Environment } from '../fraises/fraises.js';
import { repositoryKey } from '../fraises/repository-key.js';

/**
 * The environments whose code comes from the repository that has one of these addresses. `agentsLive` is what agents
 * found on their hosts, for fraises that name no repository.
 */
export function environmentsOf(
  configuration: Configuration,
  repositoryUrls: readonly string[],
  agentsLive: readonly LiveFraise[],
): readonly Environment[] {
  const keys = new Set(repositoryUrls.map(keyAtGitHost));
  return allEnvironments(configuration).filter((one) =>
    addressesOf(one, agentsLive).some((address) => keys.has(keyAtGitHost(address))),
  );
}

/** Every git host that sends webhooks takes `Acme/Shop` and `acme/shop` for one; folders of a file system are two. */
function keyAtGitHost(address: string): string {
  const key = repositoryKey(address);
  return key.startsWith('/') ? key : key.toLowerCase();
}

/** Where the code of an environment comes from: what the configuration says, otherwise what its hosts report. */
function addressesOf(environment: Environment, agentsLive: readonly LiveFraise[]): readonly string[] {
  if (environment.repository !== null) return [environment.repository];
  return agentsLive
    .filter(
      (one) => one.fraise === environment.fraise && one.environment === environment.name && one.origin !== '',
    )
    .map((one) => one.origin);
}
