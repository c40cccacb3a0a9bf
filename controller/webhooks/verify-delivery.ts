import { FraisierError } from '../../proto/error-codes.js';
import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import { allEnvironments, type Configuration, type Environment, type Secret } from '../fraises/fraises.js';
import { resolveSecret } from '../fraises/secret.js';
import type { ReadConfiguration } from './current-configuration.js';
import type { Headers, WebhookProvider } from './provider.js';
import type { PushEvents } from './push-event.js';
import { environmentsOf } from './repository-match.js';

export interface IncomingDelivery {
  readonly provider: WebhookProvider;
  /** As received: the signature is over these bytes. */
  readonly rawBody: Uint8Array;
  readonly headers: Headers;
}

export interface Verifier {
  readonly edges: Pick<Edges, 'ledger' | 'environment'>;
  readonly readConfiguration: ReadConfiguration;
  /** Told of a configured secret that cannot be used, and why; never its value. */
  readonly onUnusableSecret: (secret: Secret, problem: FraisierError) => void;
}

/** A place in the configuration where the secret of a delivery stands. */
export interface Signer {
  readonly secret: Secret;
  /** Whose own secret it is: good for its repository only. Null: that of the git host. */
  readonly of: Environment | null;
}

/** The configuration of now, and where the secret stands that signed. */
export interface Verified {
  readonly current: AppliedConfiguration;
  readonly signers: readonly Signer[];
}

/**
 * Where the secret stands that signed the delivery, and the configuration of it: one place or, where they have the same
 * value, several. Throws FraisierError `bad_signature` when no secret did, or when there is none: nothing is ever
 * accepted unsigned.
 */
export async function verifyDelivery(
  verifier: Verifier,
  { provider, rawBody, headers }: IncomingDelivery,
): Promise<Verified> {
  const current = await verifier.readConfiguration(verifier.edges.ledger);
  const usable = current === null ? new Map() : signersByValue(verifier, provider, current.configuration);
  if (current === null || usable.size === 0) throw noSecret(provider.name);
  const values = [...usable.keys()];
  const match = provider.verify(rawBody, headers, values);
  if (match === null) throw badSignature(provider.name);
  return { current, signers: usable.get(values[match.secretIndex] as string) as readonly Signer[] };
}

/**
 * The signer that may speak for these events: the git host, or a fraise of their repository; and the fraises of that
 * repository. Throws FraisierError
 * `bad_signature` when the secret is only that of fraises of other repositories.
 */
export function signerOf(
  signers: readonly Signer[],
  events: PushEvents,
  configuration: Configuration,
  agentsLive: readonly LiveFraise[],
): Signer & { readonly fraises: readonly string[] } {
  const urls = events.flatMap((event) => ('repositoryUrls' in event ? event.repositoryUrls : []));
  const own = urls.length === 0 ? null : environmentsOf(configuration, urls, agentsLive);
  const speaksFor = (environment: Environment): boolean => {
    if (own === null) return true;
    // Each address by itself: one that is another repository's must not be deployed with this one's secret.
    const at = urls.map((url) => environmentsOf(configuration, [url], agentsLive));
    return (
      own.includes(environment) && at.every((found) => found.length === 0 || found.includes(environment))
    );
  };
  const signer = signers.find(({ of }) => of === null || speaksFor(of));
  const fraises = [...new Set(own?.map((one) => one.fraise))].sort();
  if (signer !== undefined) return { ...signer, fraises };
  const places = signers.map(({ secret }) => secret.path).join(', ');
  throw new FraisierError('bad_signature', `${places} signs only for the repository of its own fraise`, {
    hint: 'give this webhook the secret of its git host, or one of a fraise of this repository',
  });
}

/** Values in the order they are tried: those of the git host, then those of fraises. */
function signersByValue(
  verifier: Verifier,
  provider: WebhookProvider,
  configuration: Configuration,
): Map<string, readonly Signer[]> {
  const byValue = new Map<string, readonly Signer[]>();
  for (const signer of placesOf(configuration, provider.name)) {
    const value = valueOf(verifier, signer.secret);
    if (value !== null) byValue.set(value, [...(byValue.get(value) ?? []), signer]);
  }
  return byValue;
}

/** Where a secret of this git host may stand. */
export function placesOf(configuration: Configuration, provider: string): readonly Signer[] {
  const host = Object.values(configuration.gitHosts).find((one) => one.provider === provider);
  const ofHost = (host?.webhookSecrets ?? []).map((secret) => ({ secret, of: null }));
  const ofFraises = allEnvironments(configuration).flatMap((of) =>
    of.webhookSecrets.map((secret) => ({ secret, of })),
  );
  return [...ofHost, ...ofFraises];
}

/** One that resolves to nothing is left out: the others may still be good, and nothing verifies against it. */
function valueOf(verifier: Verifier, secret: Secret): string | null {
  try {
    return resolveSecret(secret, verifier.edges.environment);
  } catch (error) {
    if (!(error instanceof FraisierError)) throw error;
    verifier.onUnusableSecret(secret, error);
    return null;
  }
}

function badSignature(provider: string): FraisierError {
  return new FraisierError('bad_signature', 'the signature is not that of a configured webhook secret', {
    hint: `give the webhook at ${provider} the secret that git.${provider}.webhook_secret resolves to`,
  });
}

function noSecret(provider: string): FraisierError {
  return new FraisierError('bad_signature', `no webhook secret is configured for ${provider}`, {
    hint: `set git.${provider}.webhook_secret in fraises.yaml, then: fraisier apply`,
  });
}
