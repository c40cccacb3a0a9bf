import { DeploymentPlan, Rollback } from '../../proto/gen/fraisier/v1/plan.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Answer, DeploymentRow, NewDeployment } from '../deployments/ledger/deployment.js';
import { toBuffer } from './row.js';

/** A row of tb_deployment, as the driver returns it. */
export interface DeploymentRecord {
  readonly id: string;
  readonly position: number;
  readonly fraise: string;
  readonly environment: string;
  readonly kind: DeploymentRow['kind'];
  readonly status: DeploymentRow['status'];
  readonly commit: string;
  readonly ref: string;
  readonly config_revision: number;
  readonly trigger: DeploymentRow['trigger'];
  readonly requested_by: string;
  readonly webhook_id: string | null;
  readonly request_id: string | null;
  readonly origin_id: string | null;
  readonly force: boolean;
  readonly only_hosts: readonly string[];
  readonly pushed_at: Date | null;
  readonly rollback: Uint8Array | null;
  readonly reason: Reason | null;
  readonly plan: Uint8Array | null;
  readonly old_version: string | null;
  readonly new_version: string | null;
  readonly cancel_requested_by: string | null;
  readonly continue_requested_by: string | null;
  readonly skip_unreachable: boolean;
  readonly answers: readonly Answer[];
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly continued_at: Date | null;
  readonly finished_at: Date | null;
  readonly last_number: number;
  readonly changed_number: number;
  readonly changed_at: Date;
}

/** Decodes the plan; throws when its bytes are no plan. */
export function deploymentFromRecord(record: DeploymentRecord): DeploymentRow {
  return {
    id: record.id,
    fraise: record.fraise,
    environment: record.environment,
    kind: record.kind,
    status: record.status,
    commit: record.commit,
    ref: record.ref,
    configRevision: record.config_revision,
    trigger: record.trigger,
    requestedBy: record.requested_by,
    webhookId: record.webhook_id,
    requestId: record.request_id,
    originId: record.origin_id,
    force: record.force,
    onlyHosts: record.only_hosts,
    pushedAt: record.pushed_at,
    rollback: record.rollback === null ? null : Rollback.decode(record.rollback),
    reason: record.reason,
    plan: record.plan === null ? null : DeploymentPlan.decode(record.plan),
    oldVersion: record.old_version,
    newVersion: record.new_version,
    cancelRequestedBy: record.cancel_requested_by,
    continueRequestedBy: record.continue_requested_by,
    skipUnreachable: record.skip_unreachable,
    answers: record.answers,
    createdAt: record.created_at,
    startedAt: record.started_at,
    continuedAt: record.continued_at,
    finishedAt: record.finished_at,
    lastNumber: record.last_number,
    changedNumber: record.changed_number,
    changedAt: record.changed_at,
  };
}

/** Everything but what the table fills in by itself. */
export function newDeploymentColumns(deployment: NewDeployment): Omit<Partial<DeploymentRecord>, 'status'> {
  return {
    id: deployment.id,
    fraise: deployment.fraise,
    environment: deployment.environment,
    kind: deployment.kind,
    commit: deployment.commit,
    ref: deployment.ref,
    config_revision: deployment.configRevision,
    trigger: deployment.trigger,
    requested_by: deployment.requestedBy,
    webhook_id: deployment.webhookId,
    request_id: deployment.requestId,
    origin_id: deployment.originId,
    force: deployment.force,
    only_hosts: deployment.onlyHosts,
    pushed_at: deployment.pushedAt,
    skip_unreachable: deployment.skipUnreachable ?? false,
    rollback: deployment.rollback === null ? null : toBuffer(Rollback.encode(deployment.rollback).finish()),
  };
}
