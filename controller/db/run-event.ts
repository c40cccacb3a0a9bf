import { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { StoredEvent } from '../deployments/ledger/report.js';
import type { RunPhase } from '../deployments/lifecycle.js';
import { select, toBuffer } from './row.js';
import type { Db } from './row.js';

/** Same run, same number, same content. */
export async function knowsEvent(db: Db, event: RunEvent): Promise<boolean> {
  const content = toBuffer(RunEvent.encode(event).finish());
  const rows = await select(db, 'select from tb_run_event where run_id = ? and seq = ? and content = ?', [
    event.runId,
    event.seq,
    content,
  ]);
  return rows.length === 1;
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
