import type {
  Agent,
  Deployment,
  DeploymentHost,
  EnvironmentStatus,
  Explanation,
  Lock,
  Percentiles,
  Stats,
  Webhook,
} from '../../proto/gen/fraisier/v1/control.js';
import { nextOf } from '../deployments/causes.js';
import type { EnvironmentLook } from '../deployments/environment-status.js';
import type { Explained } from '../deployments/explain.js';
import type { AgentRow } from '../deployments/ledger/agent.js';
import type { DeliveryRow } from '../deployments/ledger/delivery.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { LockRow } from '../deployments/ledger/lock.js';
import type { PercentileRow, StatsRow, WholeDelivery } from '../deployments/records.js';
import type { DeploymentSummary, HostSummary } from '../deployments/summary.js';

/** As in lists: without hosts. */
export function packDeployment(row: DeploymentRow): Deployment {
  const ended = row.startedAt !== null && row.finishedAt !== null;
  return {
    id: row.id,
    fraise: row.fraise,
    environment: row.environment,
    kind: row.kind,
    status: row.status,
    commit: row.commit,
    ref: row.ref,
    oldVersion: row.oldVersion ?? '',
    newVersion: row.newVersion ?? '',
    reason: row.reason ?? undefined,
    trigger: row.trigger,
    requestedBy: row.requestedBy,
    webhookId: row.webhookId ?? '',
    createdAt: row.createdAt,
    startedAt: row.startedAt ?? undefined,
    finishedAt: row.finishedAt ?? undefined,
    durationMs: ended ? row.finishedAt.getTime() - row.startedAt.getTime() : undefined,
    hosts: [],
    configRevision: row.configRevision,
    warnings: row.plan?.warnings ?? [],
  };
}

/** With the command that would clear it. */
export function packExplained({ fraise, environment, deployment, queued, causes }: Explained): Explanation {
  return {
    fraise,
    environment,
    deployment: deployment === null ? undefined : packDeployment(deployment),
    queued: queued ?? undefined,
    causes: [...causes],
    next: nextOf(causes, deployment),
  };
}

/** Whole, with its hosts and their steps. */
export function packSummary({ deployment, hosts }: DeploymentSummary): Deployment {
  return { ...packDeployment(deployment), hosts: hosts.map(packHost) };
}

/** Its deployments come without hosts, as in lists. */
export function packEnvironment(
  { unfinished, lock, ...look }: EnvironmentLook,
  last: DeploymentRow | undefined,
): EnvironmentStatus {
  return {
    ...look,
    unfinished: unfinished.map(packDeployment),
    last: last === undefined ? undefined : packDeployment(last),
    lock: lock === null ? undefined : packLock(lock),
  };
}

/** As it is told to whoever asks. */
export function packLock({ fraise, environment, owner, reason, lockedAt, expiresAt }: LockRow): Lock {
  return { fraise, environment, owner, reason, lockedAt, expiresAt: expiresAt ?? undefined };
}

/** As in lists: without what is of interest only for one. */
export function packDelivery(row: DeliveryRow): Webhook {
  return {
    replayedBy: row.replayedBy ?? '',
    fraises: row.fraises,
    matchedSecret: '',
    headers: {},
    repeatedBy: [],
    bodyBytes: undefined,
    body: NO_BYTES,
    id: row.id,
    provider: row.provider,
    deliveryId: row.deliveryId,
    event: row.event,
    repository: row.repository,
    branch: row.branch,
    tag: row.tag,
    commit: row.commit,
    sender: row.sender,
    verdict: row.verdict,
    reason: row.reason ?? undefined,
    deployments: row.deployments,
    receivedAt: row.receivedAt,
    originalId: row.originalId ?? '',
  };
}

const NO_BYTES = Buffer.alloc(0);

/** Whole, with its body if that was read. */
export function packWholeDelivery(row: WholeDelivery): Webhook {
  return {
    ...packDelivery(row),
    matchedSecret: row.matchedSecret ?? '',
    headers: { ...row.headers },
    repeatedBy: row.repeatedBy,
    bodyBytes: row.bodyBytes ?? undefined,
    body: row.body === null ? NO_BYTES : Buffer.from(row.body),
  };
}

/** `now` is the ledger's. */
export function packAgent(row: AgentRow, now: Date): Agent {
  const status = agentStatus(row, now);
  return {
    name: row.name,
    labels: { ...row.labels },
    status,
    lastSeenAt: row.lastSeenAt ?? undefined,
    agentVersion: row.agentVersion,
    controller: status === 'connected' ? (row.controllerId ?? '') : '',
    certificateExpiresAt: row.certificateExpiresAt,
    enrolledAt: row.enrolledAt,
  };
}

/** The success rate is that of the deployments that ran to an end of their own; undefined when none did. */
export function packStats(row: StatsRow): Stats {
  const ran = row.succeeded + row.failed + row.rolledBack;
  return {
    total: row.total,
    succeeded: row.succeeded,
    failed: row.failed,
    rolledBack: row.rolledBack,
    cancelled: row.cancelled,
    superseded: row.superseded,
    successRate: ran === 0 ? undefined : row.succeeded / ran,
    durationMs: packPercentiles(row.durationMs),
    leadTimeMs: packPercentiles(row.leadTimeMs),
    timeToRestoreMs: packPercentiles(row.timeToRestoreMs),
  };
}

function packHost(host: HostSummary): DeploymentHost {
  return {
    host: host.host,
    phase: host.phase ?? '',
    status: host.status ?? '',
    oldVersion: host.oldVersion ?? '',
    newVersion: host.newVersion ?? '',
    reason: host.reason ?? undefined,
    steps: host.steps.map((step) => ({
      ...step,
      durationMs: step.durationMs ?? undefined,
      reason: step.reason ?? undefined,
    })),
    lateReports: host.lateReports,
  };
}

function agentStatus(row: AgentRow, now: Date): 'connected' | 'away' | 'never_seen' | 'revoked' {
  if (row.revokedAt !== null) return 'revoked';
  if (row.lastSeenAt === null) return 'never_seen';
  return row.leaseExpiresAt !== null && row.leaseExpiresAt > now ? 'connected' : 'away';
}

function packPercentiles({ p50, p95 }: PercentileRow): Percentiles {
  return { p50: p50 ?? undefined, p95: p95 ?? undefined };
}
