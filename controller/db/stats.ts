import type { PercentileRow, StatsRow } from '../deployments/records.js';
import { select } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly rolled_back: number;
  readonly cancelled: number;
  readonly superseded: number;
  readonly duration: readonly (number | null)[] | null;
  readonly lead_time: readonly (number | null)[] | null;
  readonly time_to_restore: readonly (number | null)[] | null;
}

/**
 * Deployments that ended within the last `days` (24 hours each). `failed` counts `rollback_failed` too; `total` also
 * those that were `unchanged`. Durations are those of deployments that started; lead time runs from the push to the end
 * of successful webhook deployments.
 */
export async function stats(
  db: Db,
  { fraise, days }: { readonly fraise: string | null; readonly days: number },
): Promise<StatsRow> {
  const [row] = await select<Row>(
    db,
    `select count(*) as total,
            count(*) filter (where status = 'succeeded') as succeeded,
            count(*) filter (where status in ('failed', 'rollback_failed')) as failed,
            count(*) filter (where status = 'rolled_back') as rolled_back,
            count(*) filter (where status = 'cancelled') as cancelled,
            count(*) filter (where status = 'superseded') as superseded,
            percentile_cont(array[0.5, 0.95]) within group (order by duration_ms) as duration,
            percentile_cont(array[0.5, 0.95]) within group (order by lead_time_ms) as lead_time,
            percentile_cont(array[0.5, 0.95]) within group (order by time_to_restore_ms) as time_to_restore
       from v_deployment_stats
      where (?::text is null or fraise = ?) and finished_at >= clock_timestamp() - ? * interval '24 hours'`,
    [fraise, fraise, days],
  );
  const found = row as Row;
  return {
    total: found.total,
    succeeded: found.succeeded,
    failed: found.failed,
    rolledBack: found.rolled_back,
    cancelled: found.cancelled,
    superseded: found.superseded,
    durationMs: percentiles(found.duration),
    leadTimeMs: percentiles(found.lead_time),
    timeToRestoreMs: percentiles(found.time_to_restore),
  };
}

/** Null when nothing was measured. */
function percentiles(values: readonly (number | null)[] | null): PercentileRow {
  const [p50 = null, p95 = null] = values ?? [];
  return { p50, p95 };
}
