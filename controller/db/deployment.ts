import { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentChange, DeploymentRow, NewDeployment } from '../deployments/ledger/deployment.js';
import { mayMoveDeployment } from '../deployments/lifecycle.js';
import type { DeploymentStatus } from '../deployments/lifecycle.js';
import { deploymentFromRecord, newDeploymentColumns } from './deployment-row.js';
import type { DeploymentRecord } from './deployment-row.js';
import { illegalMove, orRefused } from './refusals.js';
import { clock, columnsOf, select, toBuffer, toJson } from './row.js';
import type { Db } from './row.js';

/** One statement both makes the row and locks it: an update that changes nothing locks what it finds. */
export async function holdFraise(db: Db, fraise: string, environment: string): Promise<void> {
  await db.raw(
    `insert into tb_fraise_state (fraise, environment) values (?, ?)
     on conflict (fraise, environment) do update set fraise = excluded.fraise`,
    [fraise, environment],
  );
}

/** Refused when its request has made one already. */
export async function insertDeployment(db: Db, deployment: NewDeployment): Promise<DeploymentRow> {
  const [record] = await orRefused(
    db('tb_deployment').insert(newDeploymentColumns(deployment)).returning<DeploymentRecord[]>('*'),
  );
  return deploymentFromRecord(record as DeploymentRecord);
}

/** Null when there is none of this id. */
export async function deployment(db: Db, id: string): Promise<DeploymentRow | null> {
  return firstOf(await db('tb_deployment').where({ id }).select<DeploymentRecord[]>());
}

/** Null when this request has made none. */
export async function deploymentByRequest(db: Db, requestId: string): Promise<DeploymentRow | null> {
  return firstOf(await db('tb_deployment').where({ request_id: requestId }).select<DeploymentRecord[]>());
}

/** The weaker of the two row locks: those who only refer to the deployment (foreign keys) need not wait. */
export async function holdDeployment(db: Db, id: string): Promise<DeploymentRow | null> {
  return firstOf(await db('tb_deployment').where({ id }).forNoKeyUpdate().select<DeploymentRecord[]>());
}

/**
 * False when it is not in `from` (any more). Throws for a move the table of moves does not have, and
 * `deployment_running` when another one of the pair is active.
 */
export async function moveDeployment(
  db: Db,
  id: string,
  from: DeploymentStatus,
  to: DeploymentStatus,
  change: DeploymentChange = {},
): Promise<boolean> {
  if (from !== to && !mayMoveDeployment(from, to)) throw illegalMove('deployment', id, from, to);
  const moved = await orRefused(
    db('tb_deployment')
      .where({ id, status: from })
      .update({
        ...changedColumns(db, change),
        status: to,
        last_number: db.raw('last_number + 1'),
        changed_number: db.raw('last_number + 1'),
        changed_at: db.raw('clock_timestamp()'),
      }),
  );
  return moved === 1;
}

function changedColumns(db: Db, change: DeploymentChange): Record<string, unknown> {
  return columnsOf(change, {
    reason: (reason) => ({ reason: toJson(reason) }),
    plan: (plan) => ({ plan: toBuffer(DeploymentPlan.encode(plan).finish()) }),
    oldVersion: (version) => ({ old_version: version }),
    newVersion: (version) => ({ new_version: version }),
    cancelRequestedBy: (by) => ({ cancel_requested_by: by }),
    continueRequestedBy: (by) => ({ continue_requested_by: by }),
    answers: (answers) => ({ answers: toJson(answers) }),
    started: (is) => (is ? { started_at: clock(db) } : {}),
    continued: (is) => (is ? { continued_at: clock(db) } : {}),
    finished: (is) => (is ? { finished_at: clock(db) } : {}),
  });
}

/** Oldest first, by the order of insertion. */
export async function unfinishedDeployments(
  db: Db,
  where?: { fraise: string; environment: string },
): Promise<readonly DeploymentRow[]> {
  const records = await db('tb_deployment')
    .whereRaw(`status in ('queued', 'running', 'paused', 'rolling_back')`)
    .where(where ?? {})
    .orderBy('position')
    .select<DeploymentRecord[]>();
  return records.map(deploymentFromRecord);
}

/**
 * A deployment of kind `rollback` made its version live whether it is called `rolled_back` or `succeeded`; one that failed on no more
 * hosts than may made it live on the others. In the words of an index, which is used for no others.
 */
export const IS_LIVE = `(status = 'succeeded' or (kind = 'rollback' and status = 'rolled_back')
 or (status = 'failed' and reason ->> 'code' = 'hosts_failed'))`;
/** The newest of them first. */
export const LIVE_FIRST = 'finished_at desc nulls last, position desc';

/** By these two; null when nothing ever was. */
export async function lastSucceeded(
  db: Db,
  fraise: string,
  environment: string,
): Promise<DeploymentRow | null> {
  const records = await select<DeploymentRecord>(
    db,
    `select * from tb_deployment
      where fraise = ? and environment = ?
        and ${IS_LIVE}
      order by ${LIVE_FIRST} limit 1`,
    [fraise, environment],
  );
  return firstOf(records);
}

/** Newest end first; those that never started are left out. */
export async function endedDeployments(
  db: Db,
  fraise: string,
  environment: string,
  limit: number,
): Promise<readonly DeploymentRow[]> {
  const records = await db('tb_deployment')
    .where({ fraise, environment })
    .whereNotNull('started_at')
    .whereNotNull('finished_at')
    .orderBy([
      { column: 'finished_at', order: 'desc' },
      { column: 'position', order: 'desc' },
    ])
    .limit(limit)
    .select<DeploymentRecord[]>();
  return records.map(deploymentFromRecord);
}

function firstOf([record]: readonly DeploymentRecord[]): DeploymentRow | null {
  return record === undefined ? null : deploymentFromRecord(record);
}
