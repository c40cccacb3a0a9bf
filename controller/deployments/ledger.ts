import type { LiveFraise, RunEvent, LogPosition } from '../../proto/gen/fraisier/v1/agent.js';
import type { DeploymentPlan, MigrationState, Reason, Step } from '../../proto/gen/fraisier/v1/plan.js';
import type {
  DeploymentKind,
  DeploymentStatus,
  RunPhase,
  RunStatus,
  Trigger,
  WebhookVerdict,
} from './lifecycle.js';

/**
 * The ledger as the use cases know it. Two implementations under one contract suite: PostgreSQL
 * (`controller/db/`) and memory (`test/support/memory-ledger.ts`).
 *
 * Guarantees of every implementation:
 *  - `transaction` is atomic; outside of it each call is its own transaction.
 *  - locks (`hold…`) are kept until the transaction ends; the order is fraise, then deployment, then run, then agent.
 *  - wake-ups sent in a transaction are delivered only if it commits; they can be lost, never invented.
 */
export interface Ledger {
  transaction<T>(work: (tx: Ledger) => Promise<T>): Promise<T>;
  /** The ledger's own clock, the only one that leases and deadlines are compared with. */
  now(): Promise<Date>;

  // ── configuration ────────────────────────────────────────────────────────
  currentConfiguration(): Promise<ConfigurationRevision | null>;
  configurationRevision(revision: number): Promise<ConfigurationRevision | null>;
  /** Numbers revisions from 1 without gaps (serialised by a lock). */
  insertConfiguration(
    revision: Omit<ConfigurationRevision, 'revision' | 'appliedAt'>,
  ): Promise<ConfigurationRevision>;

  // ── deployments ──────────────────────────────────────────────────────────
  /** Locks the row of this fraise × environment, making it when there is none. Taken before any deployment of it starts. */
  holdFraise(fraise: string, environment: string): Promise<void>;
  /** `createdAt` is the ledger's now; status `queued`. */
  insertDeployment(deployment: NewDeployment): Promise<DeploymentRow>;
  deployment(id: string): Promise<DeploymentRow | null>;
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
  unfinishedDeployments(where?: { fraise: string; environment: string }): Promise<readonly DeploymentRow[]>;
  /** Newest `succeeded` (of kind deploy or retry) or `rolled_back`-by-request of this pair; what the record says is live. */
  lastSucceeded(fraise: string, environment: string): Promise<DeploymentRow | null>;

  // ── runs ─────────────────────────────────────────────────────────────────
  /** Unique by (deployment, host, phase, attempt); throws on a second one. Status `pending`. */
  insertRun(run: NewRun): Promise<RunRow>;
  run(id: string): Promise<RunRow | null>;
  holdRun(id: string): Promise<RunRow | null>;
  /** Oldest first. */
  runsOf(deploymentId: string): Promise<readonly RunRow[]>;
  /** Runs of a host that have not ended: pending, dispatched, running. Oldest first. */
  openRunsOnHost(host: string): Promise<readonly RunRow[]>;
  /** As moveDeployment, for a run. `from === to` changes the other fields only. */
  moveRun(id: string, from: RunStatus, to: RunStatus, change?: RunChange): Promise<boolean>;

  // ── what agents report ───────────────────────────────────────────────────
  /**
   * Stores one event and takes the next number of the deployment, whose row the caller must hold.
   * `known`: same run, seq and content; `conflict`: same seq, other content; `gap`: seq is not the next one.
   */
  appendEvent(
    run: { id: string; deploymentId: string },
    event: RunEvent,
  ): Promise<'added' | 'known' | 'conflict' | 'gap'>;
  /** Events numbered above `after`, in order. */
  eventsOf(deploymentId: string, after: number, limit: number): Promise<readonly StoredEvent[]>;
  /**
   * Appends output at `offset`. Bytes the ledger has are skipped, a gap is refused. Returns the end offset stored, which is
   * less than asked for when there is a gap.
   */
  appendLog(chunk: NewLogChunk): Promise<number>;
  logPositions(runId: string): Promise<readonly LogPosition[]>;

  // ── agents ───────────────────────────────────────────────────────────────
  agents(): Promise<readonly AgentRow[]>;
  agent(name: string): Promise<AgentRow | null>;
  /** Makes the agent, or on re-enrolment replaces its labels, certificate and connection and lifts a revocation. */
  enrolAgent(agent: EnrolledAgent): Promise<AgentRow>;
  revokeAgent(name: string): Promise<boolean>;
  setCertificate(name: string, serial: string, expiresAt: Date): Promise<void>;
  /** Takes the connection lease over from whoever had it. Returns the new epoch, or null for an unknown or revoked agent. */
  takeLease(name: string, lease: NewLease): Promise<number | null>;
  /** False when the epoch is no longer the newest or the agent was revoked: the caller's stream is dead. */
  renewLease(name: string, epoch: number, leaseMs: number): Promise<boolean>;
  /** Locks the lease for the transaction's length (shared); false when the epoch is no longer the newest. */
  holdLease(name: string, epoch: number): Promise<boolean>;
  /** Ends the lease now if the epoch still holds it. */
  endLease(name: string, epoch: number): Promise<void>;
  setLive(name: string, live: readonly LiveFraise[]): Promise<void>;

  // ── join tokens ──────────────────────────────────────────────────────────
  insertJoinToken(token: NewJoinToken): Promise<void>;
  /** Locks the token's row. */
  holdJoinToken(tokenHash: string): Promise<JoinTokenRow | null>;
  useJoinToken(tokenHash: string, publicKeyHash: string): Promise<void>;

  // ── webhooks ─────────────────────────────────────────────────────────────
  /** Inserts the delivery with the claim on (provider, delivery_id); null when somebody has it (waits for a concurrent one). */
  claimDelivery(delivery: NewDelivery): Promise<DeliveryRow | null>;
  /** Inserts a delivery that claims nothing: refused, or a duplicate. */
  insertDelivery(delivery: NewDelivery): Promise<DeliveryRow>;
  /** The delivery that holds the claim, locked. */
  holdClaimed(provider: string, deliveryId: string): Promise<DeliveryRow | null>;
  /** Gives the claim up, so that a newer delivery of the same id can take it (judging an `ignored` one again). */
  releaseClaim(id: string): Promise<void>;

  // ── questions ────────────────────────────────────────────────────────────
  insertQuestion(question: NewQuestion): Promise<void>;
  /** Unanswered and within their deadline, for this host, oldest first. */
  openQuestions(host: string): Promise<readonly QuestionRow[]>;
  question(id: string): Promise<QuestionRow | null>;
  /** First answer wins; false when it was answered before or is unknown. */
  answerQuestion(id: string, host: string, answer: Uint8Array): Promise<boolean>;

  // ── around ───────────────────────────────────────────────────────────────
  audit(entry: AuditEntry): Promise<void>;
  /** A notification that leaves later, by whoever empties the outbox. */
  outbox(entry: { readonly topic: string; readonly payload: unknown }): Promise<void>;
  wake(topic: WakeTopic): Promise<void>;
}

/** What a wake-up is about: somebody should read again. */
export type WakeTopic =
  | { readonly about: 'deployment'; readonly id: string }
  /** Recorded of it, with nothing to decide: of interest to those who watch. */
  | { readonly about: 'events'; readonly deploymentId: string }
  | { readonly about: 'host'; readonly name: string }
  | { readonly about: 'logs'; readonly deploymentId: string }
  | { readonly about: 'question'; readonly id: string };

export interface ConfigurationRevision {
  readonly revision: number;
  readonly text: string;
  readonly fileName: string;
  readonly appliedBy: string;
  readonly appliedAt: Date;
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
}

export interface DeploymentRow extends NewDeployment {
  readonly status: DeploymentStatus;
  readonly reason: Reason | null;
  /** Frozen when it started. */
  readonly plan: DeploymentPlan | null;
  readonly oldVersion: string | null;
  readonly newVersion: string | null;
  readonly cancelRequestedBy: string | null;
  /** Set by `continue` on a paused one, cleared when it took effect. */
  readonly continueRequestedBy: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
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
  /** True: set to the ledger's now. */
  readonly started?: boolean;
  readonly finished?: boolean;
}

export interface NewRun {
  readonly id: string;
  readonly deploymentId: string;
  readonly host: string;
  readonly phase: RunPhase;
  readonly attempt: number;
  readonly steps: readonly Step[];
  /** The release this run is about; for `undo` the one gone back to, empty when there is none. */
  readonly commit: string;
}

export interface RunRow extends NewRun {
  readonly status: RunStatus;
  readonly reason: Reason | null;
  readonly lastSeq: number;
  /** Set: the agent has been, or will be, told to stop it. */
  readonly cancelReason: Reason | null;
  /** The step in hand as the events say: what `lost` waits for. */
  readonly currentStep: {
    readonly name: string;
    readonly startedAt: Date;
    readonly timeoutMs: number;
  } | null;
  /** prepare, measured by preflight: the release live before, '' when none, null when not measured. */
  readonly previousRelease: string | null;
  readonly previousProvenGood: boolean | null;
  /** prepare and migrate: the tool's own status, the last one measured. */
  readonly migration: MigrationState | null;
  /** What the run said is live at its end; '' when nothing is. */
  readonly liveRelease: string | null;
  readonly createdAt: Date;
  readonly dispatchedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface RunChange {
  readonly reason?: Reason | null;
  readonly lastSeq?: number;
  readonly cancelReason?: Reason | null;
  readonly currentStep?: RunRow['currentStep'];
  readonly previousRelease?: string | null;
  readonly previousProvenGood?: boolean | null;
  readonly migration?: MigrationState | null;
  readonly liveRelease?: string | null;
  /** True: set to the ledger's now. */
  readonly dispatched?: boolean;
  readonly started?: boolean;
  readonly finished?: boolean;
}

export interface StoredEvent {
  readonly number: number;
  readonly runId: string;
  readonly host: string;
  readonly phase: RunPhase;
  readonly event: RunEvent;
}

export interface NewLogChunk {
  readonly runId: string;
  readonly deploymentId: string;
  readonly step: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly truncated: boolean;
}

export interface EnrolledAgent {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly certificateSerial: string;
  readonly certificateExpiresAt: Date;
}

export interface AgentRow extends EnrolledAgent {
  readonly enrolledAt: Date;
  readonly revokedAt: Date | null;
  /** The controller that holds its stream, while the lease is valid. */
  readonly controllerId: string | null;
  readonly epoch: number;
  readonly leaseExpiresAt: Date | null;
  readonly lastSeenAt: Date | null;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly live: readonly LiveFraise[];
}

export interface NewLease {
  readonly controllerId: string;
  readonly leaseMs: number;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly live: readonly LiveFraise[];
}

export interface NewJoinToken {
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdBy: string;
  readonly expiresAt: Date;
}

export interface JoinTokenRow extends NewJoinToken {
  readonly usedAt: Date | null;
  /** SHA-256 of the public key it was used with: the same key may ask again. */
  readonly usedByKey: string | null;
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
  readonly matchedSecret: string | null;
  readonly originalId: string | null;
}

export interface DeliveryRow extends NewDelivery {
  readonly claimed: boolean;
  readonly receivedAt: Date;
  /** Ids of the deployments it started (or that name it). */
  readonly deployments: readonly string[];
}

export interface NewQuestion {
  readonly id: string;
  readonly host: string;
  /** A `Question`, as protobuf bytes. */
  readonly question: Uint8Array;
  readonly deadlineMs: number;
}

export interface QuestionRow {
  readonly id: string;
  readonly host: string;
  readonly question: Uint8Array;
  readonly expiresAt: Date;
  readonly answer: Uint8Array | null;
}

export interface AuditEntry {
  /** Who: `local`, a token's name, `agent:<name>`, `webhook:<provider>`, `controller`. */
  readonly actor: string;
  /** Past participle: `configuration_applied`, `deployment_requested` … */
  readonly action: string;
  readonly subject: string;
  readonly facts: Readonly<Record<string, string>>;
}
