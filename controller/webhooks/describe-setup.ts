import { FraisierError } from '../../proto/error-codes.js';
import type { WebhookSecretPlace, WebhookSetup } from '../../proto/gen/fraisier/v1/control.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Environment, Provider, Secret } from '../fraises/fraises.js';
import { resolveSecret } from '../fraises/secret.js';
import { stepsAt } from './setup-steps.js';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where webhooks arrive, without a slash at the end. */
  readonly url: string;
  /** Why that may not be what the git host can reach; empty when it was configured. */
  readonly note: string;
}

/**
 * What to enter at the git host so that its pushes reach a fraise; says where the secret stands, never what it is.
 * Throws FraisierError `no_configuration` or `unknown_fraise`.
 */
export function describeSetup(
  current: AppliedConfiguration | null,
  name: string,
  { environment, url, note }: Surroundings,
): WebhookSetup {
  if (current === null) {
    throw new FraisierError('no_configuration', 'no configuration was ever applied', {
      hint: 'fraisier apply fraises.yaml',
    });
  }
  const { fraises, gitHosts } = current.configuration;
  const environments = Object.values(fraises[name]?.environments ?? {});
  const [first] = environments;
  if (first === undefined) {
    throw new FraisierError('unknown_fraise', `there is no fraise ${name}`, { hint: 'fraisier list' });
  }
  const { provider } = first;
  const own = environments.flatMap((one) => one.webhookSecrets);
  const secrets = own.length > 0 ? own : (gitHosts[provider]?.webhookSecrets ?? []);
  return {
    fraise: name,
    repository: repositoryOf(environments),
    provider,
    url: `${url}/webhook/${provider}`,
    urlNote: note,
    contentType: 'application/json',
    events: EVENTS[provider],
    secrets: secrets.map((secret) => placeOf(secret, environment)),
    steps: stepsAt(provider),
  };
}

/** As the git host calls those that deploy something; others may be sent, and are ignored with the reason. */
const EVENTS: Readonly<Record<Provider, readonly string[]>> = {
  github: ['push'],
  gitlab: ['Push events', 'Tag push events'],
  gitea: ['Push', 'Create (Gogs: for tags)'],
  bitbucket: ['Repository push (Data Center: repo:refs_changed)'],
};

function repositoryOf(environments: readonly Environment[]): string {
  return environments.map((one) => one.repository).find((repository) => repository !== null) ?? '';
}

function placeOf(secret: Secret, environment: Surroundings['environment']): WebhookSecretPlace {
  const variables = [...secret.template.matchAll(/\$\{([A-Za-z0-9_]+)/g)].map((found) => found[1] as string);
  return { path: secret.path, variables: [...new Set(variables)], usable: isUsable(secret, environment) };
}

function isUsable(secret: Secret, environment: Surroundings['environment']): boolean {
  try {
    return resolveSecret(secret, environment) !== '';
  } catch {
    // It names a variable that is not there.
    return false;
  }
}
