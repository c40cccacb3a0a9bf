import type { LiveFraise, RunEvent, LogPosition } from '../../proto/gen/fraisier/v1/agent.js';
import type {
  DeploymentPlan,
  MigrationState,
  Reason,
  Rollback,
  Step,
} from '../../proto/gen/fraisier/v1/plan.js';
import type {
  DeploymentKind,
  DeploymentStatus,
  NotificationOutcome,
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
  /** The newest revision; null when there is none, or none newer than `above`. */
  currentConfiguration(above?: number): Promise<ConfigurationRevision | null>;
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

  // ── locks ────────────────────────────────────────────────────────────────
  /** Null when there is one in force already; the caller holds the fraise. */
  insertLock(lock: NewLock): Promise<LockRow | null>;
  /** The lock in force: neither released nor past its end. */
  lockOn(fraise: string, environment: string): Promise<LockRow | null>;
  /** Those in force, by fraise and environment. */
  locks(): Promise<readonly LockRow[]>;
  /** Ends the lock in force now and answers what it was; null when there was none. */
  releaseLock(fraise: string, environment: string, by: string): Promise<LockRow | null>;

  // ── runs ─────────────────────────────────────────────────────────────────
  /** Unique by (deployment, host, phase, attempt); throws on a second one. Status `pending`. */
  insertRun(run: NewRun): Promise<RunRow>;
  run(id: string): Promise<RunRow | null>;
  /** In one round trip, however many agents report; see `ReportedRuns`. */
  holdReported(reports: readonly Reports[]): Promise<ReportedRuns>;
  /** The pending runs of these agents become `dispatched`; one round trip, however many agents. */
  dispatchPending(
    streams: readonly { readonly agent: string; readonly epoch: number }[],
  ): Promise<DispatchedRuns>;
  /** Oldest first. */
  runsOf(deploymentId: string): Promise<readonly RunRow[]>;
  /** Runs of a host that have not ended: pending, dispatched, running. Oldest first. */
  openRunsOnHost(host: string): Promise<readonly RunRow[]>;
  /**
   * Whether a stream of this epoch has anything to tell its agent: an open run, an open question, or that it is not the
   * agent's stream any more. One statement, because every idle agent asks it again and again.
   */
  hasWork(host: string, epoch: number): Promise<boolean>;
  /** As moveDeployment, for a run. `from === to` changes the other fields only. */
  moveRun(id: string, from: RunStatus, to: RunStatus, change?: RunChange): Promise<boolean>;

  // ── what agents report ───────────────────────────────────────────────────
  /**
   * Stores events of runs of one deployment, whose row the caller must hold: each takes the next number of it. And what has
   * become of those runs, which the caller must hold too. Throws when one of them is not as it was.
   */
  writeReported(reported: Reported): Promise<void>;
  /** Whether this very event is stored: its run, its number and all that it says. */
  knowsEvent(event: RunEvent): Promise<boolean>;
  /** Events numbered above `after`, in order. */
  eventsOf(deploymentId: string, after: number, limit: number): Promise<readonly StoredEvent[]>;
  /**
   * Appends each at its `offset`; no run, step and attempt twice. Bytes the ledger has are skipped, a gap is refused. Returns
   * the end offset that is stored of each, which is less than asked for when there is a gap.
   */
  appendLogs(chunks: readonly NewLogChunk[]): Promise<readonly number[]>;
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
  /** Replaces the whole list of each of these agents. */
  setLive(live: ReadonlyMap<string, readonly LiveFraise[]>): Promise<void>;

  // ── join tokens ──────────────────────────────────────────────────────────
  insertJoinToken(token: NewJoinToken): Promise<void>;
  /** Locks the token's row. */
  holdJoinToken(tokenHash: string): Promise<JoinTokenRow | null>;
  useJoinToken(tokenHash: string, publicKeyHash: string): Promise<void>;

  // ── webhooks ─────────────────────────────────────────────────────────────
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

  // ── missed pushes ────────────────────────────────────────────────────────
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

  // ── questions ────────────────────────────────────────────────────────────
  insertQuestion(question: NewQuestion): Promise<void>;
  /** Unanswered and within their deadline, for this host, oldest first. */
  openQuestions(host: string): Promise<readonly QuestionRow[]>;
  question(id: string): Promise<QuestionRow | null>;
  /** First answer wins; false when it was answered before or is unknown. */
  answerQuestion(id: string, host: string, answer: Uint8Array): Promise<boolean>;

  // ── the outbox ───────────────────────────────────────────────────────────
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

  // ── around ───────────────────────────────────────────────────────────────
  audit(entry: AuditEntry): Promise<void>;
  wake(topic: WakeTopic): Promise<void>;
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

export interface BranchToCheck {
  /** As `repositoryKey` writes it. */
  readonly repository: string;
  readonly branch: string;
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
  /** Since when it has been told so, on the connection it has now. */
  readonly cancelAskedAt: Date | null;
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
  /** prepare: the wanted release is live here, proven good, healthy, and its process is newer than its code. */
  readonly settled: boolean;
  /** prepare: what was live before did not answer as a healthy release does. */
  readonly unhealthy: boolean;
  readonly createdAt: Date;
  readonly dispatchedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface RunChange {
  readonly reason?: Reason | null;
  readonly lastSeq?: number;
  /** Sets `cancelAskedAt` to the ledger's now. */
  readonly cancelReason?: Reason;
  readonly currentStep?: RunRow['currentStep'];
  readonly previousRelease?: string | null;
  readonly previousProvenGood?: boolean | null;
  readonly migration?: MigrationState | null;
  readonly liveRelease?: string | null;
  readonly settled?: boolean;
  readonly unhealthy?: boolean;
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

export interface NewLock {
  readonly id: string;
  readonly fraise: string;
  readonly environment: string;
  readonly owner: string;
  readonly reason: string;
  /** From the ledger's now; null: until it is released. */
  readonly forMs: number | null;
}

export interface LockRow extends Omit<NewLock, 'forMs'> {
  readonly lockedAt: Date;
  readonly expiresAt: Date | null;
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

/** What an agent's stream reports on. */
export interface Reports {
  readonly agent: string;
  readonly epoch: number;
  readonly runIds: readonly string[];
  /** Those of them that may change: their deployments are held, and they themselves, in this order. */
  readonly changing: readonly string[];
}

export interface ReportedRuns {
  /** Those that are runs of the agent that reports on them, in any order. */
  readonly runs: readonly RunRow[];
  /**
   * By name, each agent of which there are runs and of which a lease is held, as by `holdLease`: with its epoch, which is
   * the newest, and what is live on it.
   */
  readonly leased: ReadonlyMap<string, Pick<AgentRow, 'epoch' | 'live'>>;
  /** The ledger's now, once everything is held. */
  readonly now: Date;
}

export interface DispatchedRuns {
  /** Those of the leased agents that are dispatched or running now, oldest first. */
  readonly runs: readonly RunRow[];
  /** Agents and their epochs, of those asked for that are the newest. */
  readonly leased: ReadonlyMap<string, number>;
}

export interface Reported {
  readonly deploymentId: string;
  /** Of each run, those that follow the last one stored. */
  readonly events: readonly RunEvent[];
  /**
   * As they are now, with the status they had before. Neither what they were made with nor what was asked of them
   * is written; when they started and finished is the ledger's now.
   */
  readonly runs: readonly ReportedRun[];
}

export interface ReportedRun extends RunRow {
  readonly from: RunStatus;
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
