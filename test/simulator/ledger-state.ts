import type { MemoryLedger } from '../support/memory-ledger.js';

/** Everything that is committed, as an onlooker sees it. */
export type LedgerState = ReturnType<MemoryLedger['state']>;

/** Locks that are neither released nor past their end. */
export function locksInForce({ locks }: LedgerState, now: Date): LedgerState['locks'] {
  return locks.filter(
    ({ releasedBy, expiresAt }) => releasedBy === null && (expiresAt === null || expiresAt > now),
  );
}
