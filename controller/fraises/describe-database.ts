import { commandText, words } from './describe-command.js';
import { formatDuration } from './duration.js';
import type { BackupCommand, Database } from './fraises.js';

/** The settings of `database` as text, by the file's keys; null: not set. */
export function describeDatabase(one: Database | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    'database.strategy': one.strategy,
    'database.tool': one.tool,
    'database.on': one.on,
    'database.command': one.command && words(one.command),
    'database.directory': one.directory,
    'database.up': one.up && words(one.up),
    'database.down': one.down && words(one.down),
    'database.status': one.status && words(one.status),
    'database.user': one.user,
    'database.timeout': formatDuration(one.timeoutMs),
    'database.lock_timeout': duration(one.lockTimeoutMs),
    'database.statement_timeout': duration(one.statementTimeoutMs),
    'database.allow_irreversible': one.allowIrreversible ? 'true' : null,
    ...backup(one.backupBefore),
  };
}

function duration(ms: number | null): string | null {
  return ms === null ? null : formatDuration(ms);
}

function backup(one: BackupCommand | null): Readonly<Record<string, string | null>> {
  if (one === null) return {};
  return {
    'database.backup_before.command': commandText(one.command),
    'database.backup_before.verify': one.verify && commandText(one.verify),
    'database.backup_before.user': one.user,
    'database.backup_before.timeout': formatDuration(one.timeoutMs),
  };
}
