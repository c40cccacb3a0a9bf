import type { Percentiles, Stats } from '../../proto/gen/fraisier/v1/control.js';
import { fields } from './table.js';
import { span } from './words.js';

/** Counts and times of a period; `-` where nothing was measured. */
export function statsSheet(stats: Stats): string {
  return fields(
    [
      ['deployments', String(stats.total)],
      ['succeeded', String(stats.succeeded)],
      ['failed', String(stats.failed)],
      ['rolled back', String(stats.rolledBack)],
      ['cancelled', String(stats.cancelled)],
      ['superseded', String(stats.superseded)],
      ['success rate', stats.successRate === undefined ? '-' : `${(stats.successRate * 100).toFixed(1)} %`],
      ['duration', pair(stats.durationMs)],
      ['push to live', pair(stats.leadTimeMs)],
      ['time to restore', pair(stats.timeToRestoreMs)],
    ],
    '',
  );
}

function pair(percentiles: Percentiles | undefined): string {
  if (percentiles?.p50 === undefined) return '-';
  const p95 = percentiles.p95 === undefined ? '' : `, p95 ${span(percentiles.p95)}`;
  return `p50 ${span(percentiles.p50)}${p95}`;
}
