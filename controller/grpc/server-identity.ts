import type { SecureServerOptions } from 'node:http2';
import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Edges } from '../deployments/edges.js';
import type { Logger } from '../logger.js';
import type { CertificateAuthority, Identity } from '../pki/certificate-authority.js';

const LOOK_EVERY_MS = 60 * 60 * 1000;

export interface ServerIdentityOptions {
  readonly authority: CertificateAuthority;
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
  readonly after: Edges['after'];
  readonly now: () => Date;
  readonly logger: Logger;
}

/** This controller's certificate, made anew at every start and renewed while it runs. */
export interface ServerIdentity {
  /** Server TLS. */
  readonly forCallers: ServerCredentials;
  /** Mutual TLS: only certificates of the authority for clients get through. */
  readonly forAgents: ServerCredentials;
  close(): void;
}

/** Issues the first certificate, and a new one whenever half of its time is over; open connections stay. */
export async function openServerIdentity(options: ServerIdentityOptions): Promise<ServerIdentity> {
  const { authority, names, after, now, logger } = options;
  let identity = await authority.issueServer(names, now());
  let renewAt = halfway(now(), identity.expiresAt);
  const forCallers = new RenewableCredentials({}, secureContext(identity, authority));
  const forAgents = new RenewableCredentials(
    { requestCert: true, rejectUnauthorized: true },
    secureContext(identity, authority),
  );
  const look = async (): Promise<void> => {
    if (now() < renewAt) return;
    identity = await authority.issueServer(names, now());
    renewAt = halfway(now(), identity.expiresAt);
    for (const credentials of [forCallers, forAgents]) credentials.renew(secureContext(identity, authority));
    logger.info({ expiresAt: identity.expiresAt }, 'server certificate renewed');
  };
  const lookAgain = (): (() => void) =>
    after(LOOK_EVERY_MS, () => {
      cancel = lookAgain();
      look().catch((error: unknown) => logger.error({ err: error }, 'server certificate not renewed'));
    });
  let cancel = lookAgain();
  return { forCallers, forAgents, close: () => cancel() };
}

function halfway(from: Date, to: Date): Date {
  return new Date((from.getTime() + to.getTime()) / 2);
}

function secureContext(
  { chainPem, privateKeyPem }: Identity,
  authority: CertificateAuthority,
): SecureContextOptions {
  return { ca: authority.certificatePem, cert: chainPem, key: privateKeyPem };
}

/** Credentials whose certificate can be exchanged while servers listen with them. */
class RenewableCredentials extends ServerCredentials {
  constructor(options: SecureServerOptions, context: SecureContextOptions) {
    super(options, context);
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
