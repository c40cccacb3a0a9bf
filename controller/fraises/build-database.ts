import { milliseconds } from './build-command.js';
import type { Database } from './fraises.js';
import type { WrittenDatabase } from './schema-database.js';

/** How the database is migrated; null: not at all. */
export function buildDatabase(written: WrittenDatabase | undefined, deploymentMs: number): Database | null {
  if (written === undefined || written.strategy === 'none') return null;
  return {
    strategy: written.strategy === 'rebuild' ? 'rebuild' : 'apply',
    tool: 'command',
    on: written.on ?? null,
    up: written.up ?? [],
    down: written.down ?? null,
    status: written.status ?? null,
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, deploymentMs),
  };
}
