import { commandLine, milliseconds } from './build-command.js';
import type { BackupCommand, Database } from './fraises.js';
import type { WrittenDatabase } from './schema-database.js';

/** How the database is migrated; null: not at all. */
export function buildDatabase(written: WrittenDatabase | undefined, deploymentMs: number): Database | null {
  if (written === undefined || written.strategy === 'none') return null;
  const strategy = written.strategy === 'rebuild' ? 'rebuild' : 'apply';
  return {
    strategy,
    tool: written.tool ?? 'command',
    on: written.on ?? null,
    command: written.command ?? null,
    directory: written.directory?.replace(/\/$/, '') ?? null,
    up: written.up ?? null,
    down: written.down ?? null,
    status: written.status ?? null,
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, deploymentMs),
    lockTimeoutMs: limit(written.lock_timeout),
    statementTimeoutMs: limit(written.statement_timeout),
    // Who writes rebuild has said that what is there may go.
    allowIrreversible: written.allow_irreversible ?? strategy === 'rebuild',
    backupBefore: backup(written.backup_before, deploymentMs),
  };
}

function limit(written: string | number | undefined): number | null {
  return written === undefined ? null : milliseconds(written, 0);
}

function backup(written: WrittenDatabase['backup_before'], deploymentMs: number): BackupCommand | null {
  if (written === undefined) return null;
  return {
    command: commandLine(written.command),
    verify: written.verify === undefined ? null : commandLine(written.verify),
    user: written.user ?? null,
    timeoutMs: milliseconds(written.timeout, deploymentMs),
  };
}
