import { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { StoredEvent } from '../deployments/ledger.js';
import type { RunPhase } from '../deployments/lifecycle.js';
import { select, toBuffer } from './row.js';
import type { Db } from './row.js';

export type AppendedEvent = 'added' | 'known' | 'conflict' | 'gap';

/**
 * One round trip: compares with what is there, or takes the deployment's next number and stores. The caller holds the
 * deployment's row, so nobody appends at the same time.
 */
export async function appendEvent(
  db: Db,
  { id, deploymentId }: { id: string; deploymentId: string },
  event: RunEvent,
): Promise<AppendedEvent> {
  const content = toBuffer(RunEvent.encode(event).finish());
  const rows = await select<{ same: boolean | null; number: number | null }>(
    db,
    `with stored as (select content from tb_run_event where run_id = ? and seq = ?),
          numbered as (
            update tb_deployment set last_number = last_number + 1
             where id = ? and not exists (select from stored)
               and ? = 1 + (select coalesce(max(seq), 0) from tb_run_event where run_id = ?)
            returning last_number),
          added as (
            insert into tb_run_event (deployment_id, number, run_id, seq, content)
            select ?, last_number, ?, ?, ? from numbered
            returning number)
     select (select content = ? from stored) as same, (select number from added) as number`,
    [id, event.seq, deploymentId, event.seq, id, deploymentId, id, event.seq, content, content],
  );
  const found = rows[0];
  if (typeof found?.number === 'number') return 'added';
  if (typeof found?.same === 'boolean') return found.same ? 'known' : 'conflict';
  return 'gap';
}

interface Row {
  readonly number: number;
  readonly run_id: string;
  readonly host: string;
  readonly phase: RunPhase;
  readonly content: Uint8Array;
}

/** At most `limit`, in order; one query, however many runs. */
export async function eventsOf(
  db: Db,
  deploymentId: string,
  after: number,
  limit: number,
): Promise<readonly StoredEvent[]> {
  const rows = await select<Row>(
    db,
    `select event.number, event.run_id, run.host, run.phase, event.content
       from tb_run_event event join tb_host_run run on run.id = event.run_id
      where event.deployment_id = ? and event.number > ?
      order by event.number limit ?`,
    [deploymentId, after, limit],
  );
  return rows.map(({ number, run_id, host, phase, content }) => {
    return { number, runId: run_id, host, phase, event: RunEvent.decode(content) };
  });
}
