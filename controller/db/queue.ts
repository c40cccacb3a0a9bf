import type {
  DeploymentRow,
  HeldQueue,
  InQueue,
  NewDeployment,
  Pair,
  Superseded,
} from '../deployments/ledger/deployment.js';
import { deploymentFromRecord, newDeploymentColumns } from './deployment-row.js';
import type { DeploymentRecord } from './deployment-row.js';
import { IS_LIVE, LIVE_FIRST } from './deployment.js';
import { receivedAtOf } from './pending-delivery.js';
import { orRefused } from './refusals.js';
import { select } from './row.js';
import type { Db } from './row.js';

/** As `holdFraise`; in the order of their names, so that two who hold several never wait for each other. */
const HOLD = `
  insert into tb_fraise_state (fraise, environment)
  select fraise, environment from unnest(?::text[], ?::text[]) as pair (fraise, environment) order by 1, 2
      on conflict (fraise, environment) do update set fraise = excluded.fraise`;

const UNFINISHED = `status in ('queued', 'running', 'paused', 'rolling_back')`;

/** A statement of its own: what was committed while the locks were waited for is seen. */
const READ = `
  select one.*, ${receivedAtOf('one.webhook_id')} as received_at
    from unnest(?::text[], ?::text[]) as pair (fraise, environment)
   cross join lateral (
     select deployment.*, false as is_live from tb_deployment deployment
      where fraise = pair.fraise and environment = pair.environment and ${UNFINISHED}
      union all
    (select deployment.*, true from tb_deployment deployment
      where fraise = pair.fraise and environment = pair.environment and ${IS_LIVE}
      order by ${LIVE_FIRST} limit 1)) one
   order by one.position`;

interface Found extends DeploymentRecord {
  readonly is_live: boolean;
  readonly received_at: Date | null;
}

/** Needs a transaction. */
export async function holdQueues(db: Db, pairs: readonly Pair[]): Promise<readonly HeldQueue[]> {
  const bindings = [pairs.map((one) => one.fraise), pairs.map((one) => one.environment)];
  await select(db, HOLD, bindings);
  const found = (await select<Found>(db, READ, bindings)).map((record) => ({
    isLive: record.is_live,
    one: { deployment: deploymentFromRecord(record), receivedAt: record.received_at },
  }));
  return pairs.map((pair) => {
    const mine = found.filter(({ one }) => isOf(pair, one.deployment));
    const live = mine.find(({ isLive }) => isLive)?.one ?? null;
    return { ...pair, live, unfinished: mine.flatMap(({ isLive, one }): InQueue[] => (isLive ? [] : [one])) };
  });
}

function isOf({ fraise, environment }: Pair, deployment: DeploymentRow): boolean {
  return deployment.fraise === fraise && deployment.environment === environment;
}

/** In any order. */
export async function deployments(db: Db, ids: readonly string[]): Promise<readonly DeploymentRow[]> {
  const records = await select<DeploymentRecord>(db, 'select * from tb_deployment where id = any(?)', [
    [...ids],
  ]);
  return records.map(deploymentFromRecord);
}

/**
 * One statement, whose length does not grow with them: what ends in the transaction that makes it is inserted as it ended.
 * The way of `moveDeployment`, which has the other moves.
 */
export async function writeQueues(
  db: Db,
  inserted: readonly NewDeployment[],
  superseded: readonly Superseded[],
): Promise<void> {
  const [first] = inserted;
  const names = first === undefined ? ['id'] : Object.keys(newDeploymentColumns(first));
  await orRefused(
    select(db, writeStatement(names), [
      JSON.stringify(superseded),
      JSON.stringify(inserted.map(newDeploymentColumns).map(rollbackAsHex)),
    ]),
  );
}

function writeStatement(names: readonly string[]): string {
  return `
    with ended as (
      select * from jsonb_to_recordset(?) as one (id text, reason jsonb)),
    older as (
      update tb_deployment one
         set status = 'superseded', reason = ended.reason, finished_at = clock_timestamp(),
             last_number = last_number + 1, changed_number = last_number + 1, changed_at = clock_timestamp()
        from ended
       where one.id = ended.id and one.status = 'queued')
    insert into tb_deployment (${names.join(', ')}, status, reason, finished_at, last_number, changed_number)
    select ${names.map((name) => `made.${name}`).join(', ')}, ending.*
      from jsonb_populate_recordset(null::tb_deployment, ?) with ordinality as made
      left join ended on ended.id = made.id
     cross join lateral (
       select 'queued', null::jsonb, null::timestamptz, 0, 0 where ended.id is null
        union all
       select 'superseded', ended.reason, clock_timestamp(), 1, 1 where ended.id is not null) ending
     order by made.ordinality`;
}

/** As JSON holds it and PostgreSQL reads it. */
function rollbackAsHex({ rollback, ...columns }: ReturnType<typeof newDeploymentColumns>) {
  return { ...columns, rollback: rollback ? `\\x${Buffer.from(rollback).toString('hex')}` : null };
}
