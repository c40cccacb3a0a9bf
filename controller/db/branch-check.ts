import type { BranchToCheck, DeliveryRow } from '../deployments/ledger/delivery.js';
import { clockPlus, select } from './row.js';
import type { Db } from './row.js';
import { deliveryFromRecord, type DeliveryRecord } from './webhook-event.js';

/** One statement: of those who try at the same time, one gets it. */
export async function takeBranchCheck(
  db: Db,
  { repository, branch }: BranchToCheck,
  everyMs: number,
): Promise<string | null> {
  const [row] = await db('tb_branch_check')
    .insert({ repository, branch, next_at: clockPlus(db, everyMs) })
    .onConflict(['repository', 'branch'])
    .merge({ next_at: clockPlus(db, everyMs) })
    .whereRaw('tb_branch_check.next_at <= clock_timestamp()')
    .returning<{ commit: string }[]>('commit');
  return row?.commit ?? null;
}

/** For the next check. */
export async function noteBranchHead(
  db: Db,
  { repository, branch }: BranchToCheck,
  commit: string,
): Promise<void> {
  await db('tb_branch_check').where({ repository, branch }).update({ commit });
}

/** Whatever became of it; refused ones are not known to be of anybody. */
export async function wasDelivered(db: Db, branch: string, commit: string): Promise<boolean> {
  const [record] = await db('tb_webhook_event')
    .where({ branch, commit })
    .whereIn('verdict', ['deployed', 'ignored', 'duplicate', 'pending'])
    .limit(1)
    .select<{ id: string }[]>('id');
  return record !== undefined;
}

/** The newest; null when none was recorded. */
export async function missedDelivery(db: Db, branch: string, commit: string): Promise<DeliveryRow | null> {
  const [record] = await select<DeliveryRecord>(
    db,
    `select delivery.*,
            array(select id from tb_deployment where webhook_id = delivery.id order by position) as deployments
       from tb_webhook_event delivery
      where branch = ? and commit = ? and event = 'missed_push'
      order by position desc limit 1`,
    [branch, commit],
  );
  return record === undefined ? null : deliveryFromRecord(record);
}
