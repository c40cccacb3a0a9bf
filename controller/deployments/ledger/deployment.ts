import type { DeploymentPlan, Reason, Rollback } from '../../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentKind, DeploymentStatus, Trigger } from '../lifecycle.js';

/** Deployments, one of them at a time. Part of `Ledger`. */
export interface DeploymentLedger {
  /** Locks the row of this fraise × environment, making it when there is none. Taken before any deployment of it starts. */
  holdFraise(fraise: string, environment: string): Promise<void>;
  /** `createdAt` is the ledger's now; status `queued`. */
  insertDeployment(deployment: NewDeployment): Promise<DeploymentRow>;
  deployment(id: string): Promise<DeploymentRow | null>;
  /** Those of these ids that there are, in any order. */
  deployments(ids: readonly string[]): Promise<readonly DeploymentRow[]>;
  deploymentByRequest(requestId: string): Promise<DeploymentRow | null>;
  /** Locks the deployment's row and returns it as it is then. */
  holdDeployment(id: string): Promise<DeploymentRow | null>;
  /**
   * The only way a status changes: `where status = from`; false when somebody was faster. Refuses (throws) a move that
   * the transition table does not have; `from === to` changes the other fields only. Takes the next number of the deployment.
   */
  moveDeployment(
    id: string,
    from: DeploymentStatus,
    to: DeploymentStatus,
    change?: DeploymentChange,
  ): Promise<boolean>;
  /** queued, running, paused, rolling_back; oldest first. */
  unfinishedDeployments(where?: Pair): Promise<readonly DeploymentRow[]>;
  /**
   * Locks all of these fraises × environments, in one order for everybody, and returns what a push to each is placed by:
   * once each, in any order.
   */
  holdQueues(pairs: readonly Pair[]): Promise<readonly HeldQueue[]>;
  /**
   * As `insertDeployment` and then `moveDeployment` from `queued` to `superseded`, each of many: of those inserted here
   * and of older ones; one that is not queued (any more) is left as it is.
   */
  writeQueues(inserted: readonly NewDeployment[], superseded: readonly Superseded[]): Promise<void>;
  /**
   * Newest `succeeded` (of kind deploy or retry) or `rolled_back`-by-request of this pair, or one that `failed` on no more hosts than
   * may (`hosts_failed`); what the record says is live.
   */
  lastSucceeded(fraise: string, environment: string): Promise<DeploymentRow | null>;
  /** Those that had started and have ended, newest end first. */
  endedDeployments(fraise: string, environment: string, limit: number): Promise<readonly DeploymentRow[]>;
}

export interface NewDeployment {
  readonly id: string;
  readonly fraise: string;
  readonly environment: string;
  readonly kind: DeploymentKind;
  readonly commit: string;
  /** Branch, tag or what was asked for; may be empty. */
  readonly ref: string;
  readonly configRevision: number;
  readonly trigger: Trigger;
  readonly requestedBy: string;
  readonly webhookId: string | null;
  readonly requestId: string | null;
  /** The deployment that a retry or rollback is about. */
  readonly originId: string | null;
  readonly force: boolean;
  /** Empty: every host of the environment. */
  readonly onlyHosts: readonly string[];
  /** When the push was made or received, for the lead time. */
  readonly pushedAt: Date | null;
  /** Of kind `rollback`: worked out when it was requested. */
  readonly rollback: Rollback | null;
  /** Whether hosts that are away when it starts are left out; absent: it waits for them. */
  readonly skipUnreachable?: boolean;
}

/** What somebody said of a host on which a paused deployment failed. */
export interface Answer {
  readonly host: string;
  readonly act: 'retry' | 'skip';
  readonly by: string;
  /** Whether its agent was away then. */
  readonly wasAway: boolean;
}

export interface DeploymentRow extends NewDeployment {
  readonly skipUnreachable: boolean;
  readonly status: DeploymentStatus;
  readonly reason: Reason | null;
  /** Frozen when it started. */
  readonly plan: DeploymentPlan | null;
  readonly oldVersion: string | null;
  readonly newVersion: string | null;
  readonly cancelRequestedBy: string | null;
  /** Set by `continue` on a paused one, cleared when it took effect. */
  readonly continueRequestedBy: string | null;
  /** One a host; `retry` until it took effect, `skip` for good. */
  readonly answers: readonly Answer[];
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  /** When `continue` was last asked for. */
  readonly continuedAt: Date | null;
  readonly finishedAt: Date | null;
  /** Number of the last thing recorded about it; see WatchEvent. */
  readonly lastNumber: number;
  /** Number at which the row itself last changed. */
  readonly changedNumber: number;
  readonly changedAt: Date;
}

export interface DeploymentChange {
  readonly reason?: Reason | null;
  readonly plan?: DeploymentPlan;
  readonly oldVersion?: string | null;
  readonly newVersion?: string | null;
  readonly cancelRequestedBy?: string | null;
  readonly continueRequestedBy?: string | null;
  readonly answers?: readonly Answer[];
  /** True: set to the ledger's now. */
  readonly started?: boolean;
  readonly continued?: boolean;
  readonly finished?: boolean;
}

/** An environment of a fraise. */
export interface Pair {
  readonly fraise: string;
  readonly environment: string;
}

/** A deployment, and when the delivery that started it was received: of a replay, the one replayed. Null: none did. */
export interface InQueue {
  readonly deployment: DeploymentRow;
  readonly receivedAt: Date | null;
}

export interface HeldQueue extends Pair {
  /** As `unfinishedDeployments`. */
  readonly unfinished: readonly InQueue[];
  /** As `lastSucceeded`. */
  readonly live: InQueue | null;
}

export interface Superseded {
  readonly id: string;
  readonly reason: Reason;
}
