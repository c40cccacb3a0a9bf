import { experimental, ServerCredentials } from '@grpc/grpc-js';
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
  const presented = new Presented(authority.certificatePem, await authority.issueServer(names, now()));
  let renewAt = halfway(now(), presented.identity.expiresAt);
  const look = async (): Promise<void> => {
    if (now() >= renewAt) {
      presented.change(await authority.issueServer(names, now()));
      renewAt = halfway(now(), presented.identity.expiresAt);
      logger.info({ expiresAt: presented.identity.expiresAt }, 'server certificate renewed');
    }
  };
  const lookAgain = (): (() => void) =>
    after(LOOK_EVERY_MS, () => {
      cancel = lookAgain();
      look().catch((error: unknown) => logger.error({ err: error }, 'server certificate not renewed'));
    });
  let cancel = lookAgain();
  return {
    // The parameters are misnamed in grpc-js 1.14: the identity is the first one.
    forCallers: createCredentials(presented, null as never, false),
    forAgents: createCredentials(presented, presented, true),
    close: () => cancel(),
  };
}

const createCredentials = experimental.createCertificateProviderServerCredentials;

function halfway(from: Date, to: Date): Date {
  return new Date((from.getTime() + to.getTime()) / 2);
}

/** What grpc-js asks for certificates; listeners are called after they were added, never while. */
class Presented implements experimental.CertificateProvider {
  identity: Identity;
  readonly #authorityPem: string;
  readonly #listeners = new Set<experimental.IdentityCertificateUpdateListener>();

  constructor(authorityPem: string, identity: Identity) {
    this.#authorityPem = authorityPem;
    this.identity = identity;
  }

  change(identity: Identity): void {
    this.identity = identity;
    for (const listener of this.#listeners) listener(this.#update());
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#listeners.add(listener);
    setImmediate(() => listener(this.#update()));
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#listeners.delete(listener);
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    setImmediate(() => listener({ caCertificate: Buffer.from(this.#authorityPem) }));
  }

  removeCaCertificateListener(): void {
    // The authority never changes, so nobody is kept.
  }

  #update(): experimental.IdentityCertificateUpdate {
    return {
      certificate: Buffer.from(this.identity.chainPem),
      privateKey: Buffer.from(this.identity.privateKeyPem),
    };
  }
}
