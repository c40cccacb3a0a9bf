import type { ToSend } from '../deployments/dispatch-runs.js';
import type { Edges } from '../deployments/edges.js';
import type { Acknowledgements, Lease, Report } from '../deployments/record-progress.js';
import type { Logger } from '../logger.js';
import type { CertificateAuthority } from '../pki/certificate-authority.js';

/** What the agents' port works with. */
export interface GatewayEdges {
  readonly edges: Edges;
  readonly authority: CertificateAuthority;
  readonly logger: Logger;
  readonly controllerId: string;
  /** HOST:PORT of every controller's agents' port; `seenAs` is the name under which this agent reached us. */
  readonly controllers: (seenAs: string) => Promise<readonly string[]>;
  readonly patience: Patience;
}

/** What the conversations with all agents of this controller share beside that. */
export interface Gateway extends GatewayEdges {
  /** As `dispatchRuns`, for one stream. */
  readonly dispatch: (stream: Lease) => Promise<ToSend | null>;
  /** As `recordProgress`, for one report on one deployment. */
  readonly record: (deploymentId: string, report: Report) => Promise<Acknowledgements>;
  /** Does the work for one agent of each of these deployments at a time: they would only wait for the same rows. */
  readonly resuming: <T>(deployments: readonly string[], work: () => Promise<T>) => Promise<T>;
}

export interface Patience {
  /** For the first message of a stream. */
  readonly helloMs: number;
  /** Between two looks for work when no wake-up comes. */
  readonly dispatchMs: number;
  /** For what an agent still has to say after Drain. */
  readonly drainMs: number;
}

export const PATIENCE: Patience = { helloMs: 10_000, dispatchMs: 5_000, drainMs: 1_000 };
