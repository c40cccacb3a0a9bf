import { milliseconds } from './build-command.js';
import type { HealthCheck } from './fraises.js';
import type { WrittenHealthCheck } from './schema-health.js';

/** The health check with its defaults; null when there is none. */
export function buildHealthCheck(written: WrittenHealthCheck | undefined): HealthCheck | null {
  if (written === undefined) return null;
  return {
    url: written.url,
    attempts: written.attempts ?? written.retries ?? 10,
    delayMs: milliseconds(written.delay, 3000),
    timeoutMs: milliseconds(written.timeout, 5000),
    expectStatus: written.expect?.status ?? 200,
    versionField: written.expect?.version_field ?? null,
    stableForMs: milliseconds(written.stable_for, 0),
  };
}
