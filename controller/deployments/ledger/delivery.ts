import type { Reason } from '../../../proto/gen/fraisier/v1/plan.js';
import type { WebhookVerdict } from '../lifecycle.js';
import type { DeploymentRow } from './deployment.js';

/** Webhook deliveries, and pushes that none told of. Part of `Ledger`. */
export interface DeliveryLedger {
  /** Inserts the delivery with the claim on (provider, delivery_id); null when somebody has it (waits for a concurrent one). */
  claimDelivery(delivery: NewDelivery): Promise<DeliveryRow | null>;
  /** As `claimDelivery`, of many, which all are received at the same moment; the answers in their order. */
  claimDeliveries(deliveries: readonly NewDelivery[]): Promise<readonly (DeliveryRow | null)[]>;
  /** Inserts a delivery that claims nothing: refused, or a duplicate. */
  insertDelivery(delivery: NewDelivery): Promise<DeliveryRow>;
  /** The delivery that holds the claim, locked. */
  holdClaimed(provider: string, deliveryId: string): Promise<DeliveryRow | null>;
  /** Locks a delivery; null when there is none of this id. */
  holdDelivery(id: string): Promise<DeliveryRow | null>;
  /** What was started by any row of this delivery: the first, its repeats and replays. Oldest first. */
  startedBy(provider: string, deliveryId: string): Promise<readonly DeploymentRow[]>;
  /** Gives the claim up, so that a newer delivery of the same id can take it (judging an `ignored` one again). */
  releaseClaim(id: string): Promise<void>;
  /** Of a replay, when the delivery was received that it is of; null when there is none of this id. */
  receivedAt(deliveryId: string): Promise<Date | null>;
  /** The only way a verdict changes: where it is `from`; false when somebody was faster. */
  moveDelivery(id: string, from: WebhookVerdict, to: WebhookVerdict, reason: Reason | null): Promise<boolean>;
  /** The oldest pending delivery that nobody has in hand, which is then the caller's for `forMs`; null when there is none. */
  takePending(forMs: number): Promise<DeliveryRow | null>;
  /** Gives a pending delivery back: nobody takes it for so long. */
  postponePending(id: string, ms: number): Promise<void>;
  /**
   * The turn to look at a branch, which then nobody has for `everyMs`: answers its head when it was last looked at, '' for
   * the first time; null when it is not time yet.
   */
  takeBranchCheck(branch: BranchToCheck, everyMs: number): Promise<string | null>;
  noteBranchHead(branch: BranchToCheck, commit: string): Promise<void>;
  /** Whether any verified delivery, or a missed one that was recorded, told this commit of a branch of this name. */
  wasDelivered(branch: string, commit: string): Promise<boolean>;
  /** The newest delivery that was recorded as missed for this commit of a branch of this name. */
  missedDelivery(branch: string, commit: string): Promise<DeliveryRow | null>;
}

export interface NewDelivery {
  readonly id: string;
  readonly provider: string;
  /** Empty when the delivery was refused before it could be read. */
  readonly deliveryId: string;
  readonly event: string;
  readonly repository: string;
  readonly branch: string;
  readonly tag: string;
  readonly commit: string;
  readonly sender: string;
  readonly verdict: WebhookVerdict;
  readonly reason: Reason | null;
  /** Secrets cut out. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null for refused ones. */
  readonly body: Uint8Array | null;
  /** Where the secret stands that signed it; null: it was not verified. */
  readonly matchedSecret: string | null;
  readonly originalId: string | null;
  /** Who had it replayed; absent when a git host sent it. */
  readonly replayedBy?: string | null;
  /** The fraises that its repository is that of; absent: none. */
  readonly fraises?: readonly string[];
}

export interface DeliveryRow extends NewDelivery {
  readonly replayedBy: string | null;
  readonly fraises: readonly string[];
  readonly claimed: boolean;
  readonly receivedAt: Date;
  /** Ids of the deployments it started (or that name it). */
  readonly deployments: readonly string[];
}

export interface BranchToCheck {
  /** As `repositoryKey` writes it. */
  readonly repository: string;
  readonly branch: string;
}
