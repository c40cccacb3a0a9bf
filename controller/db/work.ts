import { select } from './row.js';
import type { Db } from './row.js';

/** Each part is one look into a small index. */
const HAS_WORK = `
  select exists (select from tb_host_run where host = :host and status in ('pending', 'dispatched', 'running'))
      or exists (select from tb_question
                  where host = :host and answer is null and expires_at > clock_timestamp())
      or not exists (select from tb_agent where name = :host and epoch = :epoch and revoked_at is null)
      as has_work`;

/** Whether there is anything that an agent's stream should look at. */
export async function hasWork(db: Db, host: string, epoch: number): Promise<boolean> {
  const rows = await select<{ has_work: boolean }>(db, HAS_WORK, { host, epoch });
  return rows.some((row) => row.has_work);
}
