import type { NotificationOutcome } from '../lifecycle.js';

/** What leaves with a commit: notifications, audit, wake-ups. Part of `Ledger`. */
export interface OutboxLedger {
  /** A notification that leaves after the transaction, or never. */
  outbox(notification: NewNotification): Promise<void>;
  /** Open ones of which nobody has said yet through which lane they leave, oldest first. */
  unaddressedNotifications(limit: number): Promise<readonly NotificationRow[]>;
  /** Says so of each, or ends it as `unwanted`; one that has a lane, or has ended, is left as it is. */
  addressNotifications(addressed: readonly AddressedNotification[]): Promise<void>;
  /**
   * Takes the addressed one that has been due longest, in a lane that is not busy, for `claimMs`; after that others may
   * take it. Older ones about the same end as `overtaken`, and while one is claimed no other about the same is handed out.
   */
  claimNotification(request: ClaimRequest): Promise<NotificationRow | null>;
  /** False when somebody else claimed it since, or it has ended. */
  endNotification(
    claim: Claim,
    end: { readonly outcome: NotificationOutcome; readonly error: string | null },
  ): Promise<boolean>;
  /** Gives it back to be claimed again after a while; false as for `endNotification`. */
  retryNotification(
    claim: Claim,
    later: { readonly afterMs: number; readonly error: string },
  ): Promise<boolean>;
  /** Nothing of this lane is due before `forMs` from the ledger's now. */
  holdLane(lane: string, forMs: number): Promise<void>;
  audit(entry: AuditEntry): Promise<void>;
  wake(topic: WakeTopic): Promise<void>;
}

export interface NewNotification {
  /** Past participle: `deployment_ended` … */
  readonly topic: string;
  /** Of several about the same only the newest is worth sending. */
  readonly about: string;
  readonly payload: unknown;
}

export interface NotificationRow extends NewNotification {
  readonly number: number;
  /** Whom it goes to, as far as getting in each other's way is concerned; null: not known yet. */
  readonly lane: string | null;
  /** How often it was claimed, this time included. */
  readonly attempts: number;
}

export type AddressedNotification = { readonly number: number } & (
  | { readonly lane: string }
  | { /** Why nobody is to be told. */ readonly unwanted: string }
);

/** Names one claim: the number of attempts tells it from those before and after. */
export type Claim = Pick<NotificationRow, 'number' | 'attempts'>;

export interface ClaimRequest {
  readonly busyLanes: readonly string[];
  readonly claimMs: number;
}

export interface AuditEntry {
  /** Who: `local`, a token's name, `agent:<name>`, `webhook:<provider>`, `controller`. */
  readonly actor: string;
  /** Past participle: `configuration_applied`, `deployment_requested` … */
  readonly action: string;
  readonly subject: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** What a wake-up is about: somebody should read again. */
export type WakeTopic =
  | { readonly about: 'deployment'; readonly id: string }
  /** Recorded of it, with nothing to decide: of interest to those who watch. */
  | { readonly about: 'events'; readonly deploymentId: string }
  | { readonly about: 'host'; readonly name: string }
  /** It is pending: somebody must ask an agent. */
  | { readonly about: 'delivery'; readonly id: string }
  | { readonly about: 'logs'; readonly deploymentId: string }
  | { readonly about: 'question'; readonly id: string };
