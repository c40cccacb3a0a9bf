import { FraisierError } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { LockRow } from './ledger/lock.js';
import { reason } from './reason.js';

/** Who locked it, why, until when, and the command that unlocks it. */
export function lockedBy({ fraise, environment, owner, reason: why, expiresAt, lockedAt }: LockRow): Reason {
  const until = expiresAt === null ? 'until it is unlocked' : `until ${expiresAt.toISOString()}`;
  return reason('locked', `${fraise} ${environment} is locked by ${owner} ${until}: ${why}`, {
    hint: `fraisier unlock ${fraise} ${environment}`,
    facts: {
      owner,
      why,
      since: lockedAt.toISOString(),
      ...(expiresAt === null ? {} : { until: expiresAt.toISOString() }),
    },
  });
}

/** Throws `locked`, with who, why, until when and how to unlock; nothing for null. */
export function refuseWhenLocked(lock: LockRow | null): void {
  if (lock === null) return;
  const why = lockedBy(lock);
  throw new FraisierError('locked', why.message, why);
}
