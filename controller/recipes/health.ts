import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { HealthCheck } from '../fraises/fraises.js';
import { stepOf } from './step-of.js';

/** Waits until the release is healthy; empty without a check. */
export function health(check: HealthCheck | null, commit: string): Step[] {
  if (check === null) return [];
  const longest = check.attempts * (check.delayMs + check.timeoutMs) + check.stableForMs + 10_000;
  return [
    stepOf('health', longest, {
      $case: 'health',
      value: {
        url: check.url,
        attempts: check.attempts,
        delayMs: check.delayMs,
        timeoutMs: check.timeoutMs,
        expectStatus: check.expectStatus,
        versionField: check.versionField ?? '',
        expectVersion: check.versionField === null ? '' : commit,
        stableForMs: check.stableForMs,
        commit,
      },
    }),
  ];
}
