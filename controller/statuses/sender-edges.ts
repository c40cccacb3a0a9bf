import type { Edges } from '../deployments/edges.js';
import type { Logger } from '../logger.js';
import type { Transport } from './send-status.js';

/** What sending is handed in. */
export interface SenderEdges extends Pick<Edges, 'ledger' | 'waking' | 'environment' | 'after' | 'parsed'> {
  readonly transport: Transport;
  readonly now: () => Date;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly logger: Pick<Logger, 'warn'>;
  /** Where this controller is found by people, without a slash at its end; null: there are no links. */
  readonly publicUrl: string | null;
}
