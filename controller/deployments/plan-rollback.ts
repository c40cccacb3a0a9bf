import { FraisierError } from '../../proto/error-codes.js';
import { Rollback, type MigrationState } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { appliedSince, lastMeasured, type Applied, type PastDeployment } from './applied-since.js';
import type { SeenHost, Target } from './choose-rollback-target.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { makePlan } from './plan.js';
import { planOf } from './runs-of-deployment.js';

/** What the way back of the database is worked out from. */
export interface Past {
  readonly environment: Environment;
  readonly target: Target;
  readonly codeOnly: boolean;
  /** The hosts of the whole environment, in the order of release. */
  readonly names: readonly string[];
  /** Those of them that are rolled back: all, or all that answered. */
  readonly hosts: readonly SeenHost[];
  /** Every ended deployment since the target, oldest first, the target's own first of all. */
  readonly since: readonly PastDeployment[];
}

/**
 * What a rollback goes back by: from which release, and what the database goes down by. Pure. Throws
 * `database_cannot_go_back`, naming the migration or the deployment in the way and what leaving the database would do.
 */
export function planRollback(past: Past): Rollback {
  const { codeOnly, hosts, since, target } = past;
  const skipped = skippedBy(past);
  const on = migratingHost(past);
  const migrating = hosts.find(({ host }) => host === on);
  const from = migrating?.inspection.release ?? hosts[0]?.inspection.release ?? '';
  if (on === '' || codeOnly) return Rollback.fromPartial({ from, codeOnly, skipped });
  if (target.deployment === null) throw refusal(past, 'the record does not say what was applied since', null);
  const known = appliedSince(since.slice(1));
  if ('unknown' in known)
    throw refusal(past, `it is not known what ${known.by.id} left applied: ${known.unknown}`, known.by);
  const { applied } = known;
  const last = applied.at(-1);
  const first = applied[0];
  if (first === undefined || last === undefined) return Rollback.fromPartial({ from, skipped });
  if (migrating === undefined) throw refusal(past, `${on}, where it would go down, did not answer`, null);
  const tree = treeFor(since, from, last);
  refuseNoWayDown(past, applied, tree);
  refuseNotKept(past, migrating, tree, last);
  const ids = applied.map(({ id }) => id);
  const pending = lastMeasured(since, tree)?.pending ?? last.after.pending;
  return Rollback.fromPartial({
    from: tree,
    applied: ids.toReversed(),
    after: stateOf(last.after, pending),
    before: stateOf(first.before, [...ids, ...pending]),
    skipped,
  });

  function treeFor(all: readonly PastDeployment[], live: string, newest: Applied): string {
    const place = (match: (one: DeploymentRow) => boolean) =>
      all.findLastIndex(({ deployment }) => match(deployment));
    const liveSince = place(({ commit, kind }) => commit === live && kind !== 'rollback');
    return liveSince >= place(({ id }) => id === newest.by.id) ? live : newest.by.commit;
  }
}

function skippedBy({ names: all, hosts }: Past): readonly string[] {
  return all.filter((name) => !hosts.some(({ host }) => host === name));
}

/** As every deployment of the whole environment has it; empty: nothing is migrated. */
function migratingHost({ environment, target, names: hosts }: Past): string {
  const input = { environment, commit: target.commit, ref: '', hosts, madeAt: new Date(0) };
  return makePlan(input).migratingHost;
}

/** As another tree tells it: what is applied is the same, what is pending is not. */
function stateOf(
  { revision, appliedDigest }: MigrationState,
  pending: readonly string[],
): Partial<MigrationState> {
  return { revision, appliedDigest, pending };
}

function refuseNoWayDown(past: Past, applied: readonly Applied[], tree: string): void {
  const stuck = applied.find(({ id, before }) => before.irreversible.includes(id));
  if (stuck !== undefined)
    throw refusal(past, `${stuck.id}, applied by ${stuck.by.id}, has no way down`, stuck.by);
  const passed = applied.find(({ by }) => planOf(by).pointOfNoReturn !== '');
  if (passed !== undefined)
    throw refusal(
      past,
      `${passed.by.id} passed a point of no return (${planOf(passed.by).pointOfNoReturn})`,
      passed.by,
    );
  const { environment, target } = past;
  const rollback = Rollback.fromPartial({ from: tree, applied: applied.map(({ id }) => id) });
  const input = { environment, commit: target.commit, ref: '', hosts: [], madeAt: new Date(0), rollback };
  if (makePlan(input).migration?.reversible !== true)
    throw refusal(past, `its migration tool has no way down for ${idsOf(applied)}`, null);
}

function refuseNotKept(past: Past, { host, inspection }: SeenHost, tree: string, last: Applied): void {
  if (inspection.kept.some(({ commit }) => commit === tree)) return;
  const what = `the release ${tree.slice(0, 12)}, which holds the way down of ${last.id}`;
  throw refusal(past, `${what}, is not kept on ${host}`, last.by);
}

function refusal(past: Past, why: string, by: DeploymentRow | null): FraisierError {
  const { fraise, name } = past.environment;
  const to = past.target.commit;
  const skip = skippedBy(past).length === 0 ? '' : ' --skip-unreachable';
  return new FraisierError(
    'database_cannot_go_back',
    `the database of ${fraise} ${name} cannot go back: ${why}`,
    {
      hint:
        `fraisier rollback ${fraise} ${name} --to ${to.slice(0, 12)} --code-only${skip} (puts the code of ${to.slice(0, 12)} on the ` +
        'database as it is)',
      facts: { target: to, ...(by === null ? {} : { deployment: by.id }) },
    },
  );
}

function idsOf(applied: readonly Applied[]): string {
  return applied.map(({ id }) => id).join(', ');
}
