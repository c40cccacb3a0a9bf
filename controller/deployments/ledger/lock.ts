/** What keeps deployments out. Part of `Ledger`. */
export interface LockLedger {
  /** Null when there is one in force already; the caller holds the fraise. */
  insertLock(lock: NewLock): Promise<LockRow | null>;
  /** The lock in force: neither released nor past its end. */
  lockOn(fraise: string, environment: string): Promise<LockRow | null>;
  /** Those in force, by fraise and environment. */
  locks(): Promise<readonly LockRow[]>;
  /** Ends the lock in force now and answers what it was; null when there was none. */
  releaseLock(fraise: string, environment: string, by: string): Promise<LockRow | null>;
}

export interface NewLock {
  readonly id: string;
  readonly fraise: string;
  readonly environment: string;
  readonly owner: string;
  readonly reason: string;
  /** From the ledger's now; null: until it is released. */
  readonly forMs: number | null;
}

export interface LockRow extends Omit<NewLock, 'forMs'> {
  readonly lockedAt: Date;
  readonly expiresAt: Date | null;
}
