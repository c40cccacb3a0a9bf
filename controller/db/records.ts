import type { Knex } from 'knex';
import { FraisierError } from '../../proto/error-codes.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { DeliveryQuery, DeploymentQuery, Page, Records } from '../deployments/records.js';
import { anyApiToken, apiToken, insertApiToken } from './api-token.js';
import { orDatabaseAway } from './connection-failure.js';
import { deploymentFromRecord } from './deployment-row.js';
import type { DeploymentRecord } from './deployment-row.js';
import { logs } from './run-log.js';
import { asked } from './row.js';
import type { Db } from './row.js';
import { stats } from './stats.js';
import { deliveriesBefore, delivery, lineFromRecord } from './webhook-event.js';

/** The screens' reads over PostgreSQL; `database_away` when it cannot be asked, `usage` for a cursor that is none. */
export function createRecords(db: Db): Records {
  const bind =
    <A extends unknown[], R>(act: (db: Db, ...rest: A) => Promise<R>) =>
    async (...rest: A): Promise<R> =>
      await orDatabaseAway(act(db, ...rest));
  return {
    deployments: bind(deployments),
    stats: bind(stats),
    deliveries: bind(deliveries),
    delivery: bind(delivery),
    logs: bind(logs),
    apiToken: bind(apiToken),
    insertApiToken: bind(insertApiToken),
    anyApiToken: bind(anyApiToken),
  };
}

async function deployments(db: Db, query: DeploymentQuery): Promise<Page<DeploymentRow>> {
  const { fraise, environment, since, cursor, limit } = query;
  const before = positionOf(cursor);
  const records = await db('v_deployment_history')
    .where(asked({ fraise, environment }))
    .whereRaw('(?::timestamptz is null or created_at >= ?)', [since, since] as Knex.RawBinding[])
    .whereRaw('(?::bigint is null or position < ?)', [before, before] as Knex.RawBinding[])
    .orderBy('position', 'desc')
    .limit(limit + 1)
    .select<DeploymentRecord[]>();
  return page(records, limit, deploymentFromRecord);
}

async function deliveries(db: Db, query: DeliveryQuery): ReturnType<Records['deliveries']> {
  const records = await deliveriesBefore(db, query, positionOf(query.cursor));
  return page(records, query.limit, lineFromRecord);
}

/** `records` may be one longer than the page: then there is a next one, after the page's last row. */
function page<R extends { position: number }, T>(
  records: readonly R[],
  limit: number,
  fromRecord: (record: R) => T,
): Page<T> {
  const shown = records.slice(0, limit);
  const last = shown.at(-1);
  const more = records.length > limit && last !== undefined;
  return { rows: shown.map(fromRecord), next: more ? String(last.position) : null };
}

function positionOf(cursor: string | null): number | null {
  if (cursor === null) return null;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new FraisierError('usage', `"${cursor}" is not a place in this list`, {
    hint: 'use the `next` of the page before, or none for the first page',
  });
}
