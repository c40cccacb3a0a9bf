import { baseUrlOf } from '../fraises/build-git-hosts.js';
import type { Configuration, Provider, Secret } from '../fraises/fraises.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { CommitPlace } from './commit-status.js';
import { repositoryAt } from './repository-at.js';
import { STATUS_HOSTS } from './status-hosts.js';

export interface Address {
  readonly provider: Provider;
  readonly place: CommitPlace;
  readonly token: Secret;
  /** One host is one lane. */
  readonly lane: string;
}

/** Whom to tell how a deployment is, by the configuration in force; or why nobody is. Pure. */
export function addressStatus(
  configuration: Configuration,
  { fraise, environment, commit }: Pick<DeploymentRow, 'fraise' | 'environment' | 'commit'>,
): Address | { readonly unwanted: string } {
  const found = configuration.fraises[fraise]?.environments[environment];
  if (found === undefined) return { unwanted: `${fraise} ${environment} is not configured any more` };
  const { provider } = found;
  const token = configuration.gitHosts[provider]?.statusToken ?? null;
  if (token === null) return { unwanted: `git.${provider} has no status_token, or statuses: false` };
  const baseUrl = baseUrlOf(configuration, provider);
  const repository = found.repository === null ? null : repositoryAt(baseUrl, found.repository);
  if (repository === null) return { unwanted: `${fraise} ${environment} has no repository at ${baseUrl}` };
  const lane = STATUS_HOSTS[provider].apiOf(baseUrl);
  return { provider, place: { baseUrl, repository, commit }, token, lane };
}

/** Tells an address from the reason why there is none. */
export function isAddress(found: ReturnType<typeof addressStatus>): found is Address {
  return 'lane' in found;
}
