import { FraisierError } from '../../proto/error-codes.js';
import type { AppliedConfiguration } from '../deployments/configuration.js';
import type { Edges } from '../deployments/edges.js';
import type { Secret } from '../fraises/fraises.js';
import { resolveSecret } from '../fraises/secret.js';
import type { ReadConfiguration } from './current-configuration.js';
import type { Headers, WebhookProvider } from './provider.js';

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

/**
 * Which of the configured secrets signed the delivery, and the configuration it stands in.
 * Throws FraisierError `bad_signature` when none did, or when there is none: nothing is ever accepted unsigned.
 */
export async function verifyDelivery(
  verifier: Verifier,
  { provider, rawBody, headers }: IncomingDelivery,
): Promise<{ current: AppliedConfiguration; secret: Secret }> {
  const current = await verifier.readConfiguration(verifier.edges.ledger);
  if (current === null) throw noSecret(provider.name);
  const configured = current.configuration.gitHosts[provider.name]?.webhookSecrets ?? [];
  const usable = configured.flatMap((secret) => valueOf(verifier, secret));
  if (usable.length === 0) throw noSecret(provider.name);
  const values = usable.map((one) => one.value);
  const match = provider.verify(rawBody, headers, values);
  const signer = match === null ? undefined : usable[match.secretIndex];
  if (signer === undefined) throw badSignature(provider.name);
  return { current, secret: signer.secret };
}

/** One that resolves to nothing is left out: the others may still be good, and nothing verifies against it. */
function valueOf(verifier: Verifier, secret: Secret): { secret: Secret; value: string }[] {
  try {
    return [{ secret, value: resolveSecret(secret, verifier.edges.environment) }];
  } catch (error) {
    if (!(error instanceof FraisierError)) throw error;
    verifier.onUnusableSecret(secret, error);
    return [];
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
