import { createHash } from 'node:crypto';
import type { MigrationState } from '../../proto/gen/fraisier/v1/plan.js';
import { Moment } from '../../proto/gen/fraisier/v1/plan.js';

/** What a migration tool says about a database, read strictly. */
export interface Told {
  /** Empty: none applied yet. */
  readonly revision: string;
  /** Everything that is applied, also what this release has no file of; null where the tool tells its revision only. */
  readonly applied: readonly string[] | null;
  /** In the order in which they would be applied. */
  readonly pending: readonly string[];
  readonly irreversible: readonly string[];
}

/** Why what a tool printed is not taken for an answer. */
export interface Unreadable {
  readonly unreadable: string;
}

/** As what a reader returns. */
export function unreadable(why: string): Unreadable {
  return { unreadable: why };
}

/** Reads a file of the release, null when there is none that can be read. */
export type ReadText = (path: string) => Promise<string | null>;

/** Turns what the status commands of one tool printed, in their order, into what it says. */
export type ReadStatus = (
  outputs: readonly string[],
  files: { readonly directory: string; readonly read: ReadText },
) => Promise<Told | Unreadable>;

/** As it is recorded and compared. */
export function stateOf({ revision, applied, pending, irreversible }: Told): MigrationState {
  const appliedDigest = applied === null ? '' : digestOf(applied);
  return { revision, pending, irreversible, appliedDigest, moment: Moment.UNSPECIFIED };
}

/** SHA-256 over the sorted identifiers. */
export function digestOf(applied: readonly string[]): string {
  return createHash('sha256').update(applied.toSorted().join('\n')).digest('hex');
}

/** The lines without what a terminal would leave at their ends. */
export function linesOf(output: string): readonly string[] {
  return output.split(/\r?\n/).map((line) => line.trimEnd());
}

/** Null, or what names a thing twice. */
export function namedTwice(ids: readonly string[]): Unreadable | null {
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  return twice === undefined ? null : unreadable(`it names the migration ${twice} twice`);
}
