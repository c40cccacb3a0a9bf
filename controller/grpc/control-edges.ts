import type { Edges } from '../deployments/edges.js';
import type { Records } from '../deployments/records.js';
import type { Logger } from '../logger.js';
import type { CertificateAuthority } from '../pki/certificate-authority.js';

/** What the handlers of Control and Enrollment work with. */
export interface ControlEdges {
  readonly edges: Edges;
  readonly records: Records;
  readonly authority: CertificateAuthority;
  readonly logger: Logger;
  readonly version: string;
  /** Aborts when this controller shuts down: open streams end, callers come back. */
  readonly closing: AbortSignal;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Uint8Array;
  /** HOST:PORT of every controller's agents' port; `seenAs` is the name under which the caller reached us. */
  readonly controllers: (seenAs: string) => Promise<readonly string[]>;
  /** HOST:PORT of this controller's gRPC port, for a command to paste on a host. */
  readonly ownAddress: (seenAs: string) => string;
  /** Where webhooks arrive; `note` says why a git host may not reach that, and is empty when it was configured. */
  readonly webhooksAt: () => { readonly url: string; readonly note: string };
}
