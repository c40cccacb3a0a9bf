import { until } from '../../support/until.js';
import { AgentUnit } from '../agent-unit.js';
import type { Ended } from './ended.js';

/** What is left that should be over, once it had some time to go away: in the database, and on the hosts. */
export async function judgeLeftovers(ended: Ended): Promise<readonly string[]> {
  let left: readonly string[] = ['never looked'];
  const gone = async (): Promise<boolean> => (left = await leftNow(ended)).length === 0;
  await until('nothing to be left', gone, { timeoutMs: 30_000, everyMs: 500 }).catch(() => undefined);
  return left;
}

async function leftNow({ fleet, somebody }: Ended): Promise<readonly string[]> {
  const { locks } = await somebody.ask('locks', (control) => control.ask('listLocks', {}));
  const counted = await fleet.database.rows<{ what: string; count: number }>(LEFT);
  const units = await Promise.all(
    fleet.servers.map(async (server) => {
      const names = await new AgentUnit(fleet.server(server)).transientUnits();
      return names.map((name) => `left on ${server}: ${name}`);
    }),
  );
  return [
    ...locks.map((lock) => `locked: ${lock.fraise}`),
    ...counted.filter(({ count }) => count > 0).map(({ what, count }) => `${count} ${what}`),
    ...units.flat(),
  ];
}

const LEFT = `
  select 'deliveries pending' as what, count(*)::int from tb_webhook_event where verdict = 'pending'
  union all select 'rows of the outbox open', count(*)::int from tb_outbox where ended_at is null
  union all select 'runs open', count(*)::int from tb_host_run where status in ('pending', 'dispatched', 'running')
  union all select 'advisory locks held', count(*)::int from pg_locks where locktype = 'advisory'
  union all select 'agents without a lease', count(*)::int from tb_agent where lease_expires_at < clock_timestamp()
  union all select 'old transactions open', count(*)::int from pg_stat_activity
    where state like 'idle in transaction%' and xact_start < clock_timestamp() - interval '10 seconds'`;
