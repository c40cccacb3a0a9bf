import { FraisierError } from '../../proto/error-codes.js';
import { findEnvironment } from '../fraises/find-environment.js';
import { currentConfiguration } from './configuration.js';
import type { Actor, Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { LockRow } from './ledger/lock.js';
import { refuseWhenLocked } from './locked.js';

export interface LockWish {
  readonly fraise: string;
  readonly environment: string;
  readonly reason: string;
  /** Null: until it is unlocked. */
  readonly forMs: number | null;
}

/** A year: whoever wants it longer wants no end. */
const LONGEST_MS = 366 * 24 * 3_600_000;

/**
 * Freezes a fraise in an environment: what asks to be deployed is refused, what is pushed waits. Rollbacks go past it, and what is
 * under way goes on. Throws `unknown_fraise`, `unknown_environment`, `usage` without a reason, `locked` when it is
 * locked already.
 */
export async function lockFraise(edges: Edges, wish: LockWish, actor: Actor): Promise<LockRow> {
  const { fraise, environment } = wish;
  findEnvironment((await currentConfiguration(edges.ledger)).configuration, fraise, environment);
  if (wish.reason.trim() === '') {
    throw new FraisierError('usage', 'a lock needs a reason, for whoever finds it', {
      hint: `fraisier lock ${fraise} ${environment} -m WHY`,
    });
  }
  if (wish.forMs !== null && wish.forMs > LONGEST_MS) {
    throw new FraisierError('usage', 'a lock ends within a year, or not by itself at all');
  }
  return edges.ledger.transaction(async (tx) => {
    await tx.holdFraise(fraise, environment);
    refuseWhenLocked(await tx.lockOn(fraise, environment));
    return placeLock(edges, tx, wish, actor);
  });
}

/** Needs a transaction that holds the fraise, and no lock in force. */
export async function placeLock(
  { newId }: Pick<Edges, 'newId'>,
  tx: Ledger,
  { fraise, environment, reason, forMs }: LockWish,
  actor: Actor,
): Promise<LockRow> {
  const wanted = { id: newId('l'), fraise, environment, owner: actor.name, reason: reason.trim(), forMs };
  // The fraise is held: nobody came in between.
  const lock = (await tx.insertLock(wanted)) as LockRow;
  const subject = `${fraise} ${environment}`;
  await tx.audit({ actor: actor.name, action: 'fraise_locked', subject, facts: { reason: lock.reason } });
  return lock;
}

/** Ends the lock in force; what waits for it starts. Answers what it was; throws `unknown_lock` when there is none. */
export async function unlockFraise(
  { ledger }: Edges,
  { fraise, environment }: Pick<LockWish, 'fraise' | 'environment'>,
  actor: Actor,
): Promise<LockRow> {
  return ledger.transaction(async (tx) => {
    await tx.holdFraise(fraise, environment);
    const lock = await tx.releaseLock(fraise, environment, actor.name);
    if (lock === null) {
      throw new FraisierError('unknown_lock', `${fraise} ${environment} is not locked`, {
        hint: 'fraisier locks',
      });
    }
    await tx.audit({
      actor: actor.name,
      action: 'fraise_unlocked',
      subject: `${fraise} ${environment}`,
      facts: { owner: lock.owner, reason: lock.reason },
    });
    for (const { id } of await tx.unfinishedDeployments({ fraise, environment }))
      await tx.wake({ about: 'deployment', id });
    return lock;
  });
}
