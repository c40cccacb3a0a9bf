import type { MigrationState, MigrationStatus } from '../../proto/gen/fraisier/v1/plan.js';
import { digestOf, stateOf, type Told } from './told.js';

/** Whether what was found is what the plan allows for: exactly `expect`, or that with some of its pending applied. */
export function isExpected(found: Told, { expect, progress, applied }: MigrationStatus): boolean {
  if (expect === undefined) return true;
  const since = expect.pending.length - found.pending.length;
  if (applied > 0) return since === applied && isAfter(found, expect, since);
  return isSame(stateOf(found), expect) || (progress && since > 0 && isAfter(found, expect, since));
}

function isSame(one: MigrationState, other: MigrationState): boolean {
  return (
    one.revision === other.revision &&
    one.appliedDigest === other.appliedDigest &&
    isSameList(one.pending, other.pending)
  );
}

/** The first `since` of what was pending are applied, the rest is pending, and nothing else has come or gone. */
function isAfter({ applied, pending }: Told, expect: MigrationState, since: number): boolean {
  if (!isSameList(pending, expect.pending.slice(since))) return false;
  // A tool that tells its revision only cannot show more.
  if (applied === null) return true;
  const added = expect.pending.slice(0, since);
  const before = applied.filter((id) => !added.includes(id));
  return before.length === applied.length - since && digestOf(before) === expect.appliedDigest;
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
