import type { ListLocksResponse, Lock } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { lines, table } from './table.js';
import { ago, instant } from './words.js';

/** `locked by ann until …: why`, for a line of its own. */
export function lockWords({ owner, reason, expiresAt }: Lock): string {
  return `locked by ${owner} ${until(expiresAt)}: ${reason}`;
}

/** What is locked, one line each. */
export function lockTable({ locks }: ListLocksResponse, look: Look): string {
  if (locks.length === 0) return lines(['nothing is locked']);
  const rows = locks.map((lock) => [
    lock.fraise,
    lock.environment,
    lock.owner,
    ago(lock.lockedAt, look.now),
    lock.expiresAt === undefined ? 'unlocked' : instant(lock.expiresAt),
    lock.reason,
  ]);
  return table(['fraise', 'environment', 'by', 'since', 'until', 'why'], rows, look);
}

/** A lock that was just placed. */
export function lockPlaced(lock: Lock): string {
  const { fraise, environment } = lock;
  return lines([
    `${fraise} → ${environment}  ${lockWords(lock)}`,
    `next: fraisier unlock ${fraise} ${environment}`,
  ]);
}

/** A lock that was just ended. */
export function lockReleased({ fraise, environment, owner, reason }: Lock): string {
  return lines([`${fraise} → ${environment}  unlocked (it was locked by ${owner}: ${reason})`]);
}

function until(expiresAt: Date | undefined): string {
  return expiresAt === undefined ? 'until it is unlocked' : `until ${instant(expiresAt)}`;
}
