import { Moment, type MigrationState, type Rollback } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { migrationRecord, wayDownSent } from './migration-record.js';
import { latestRuns, planOf, type LatestRuns } from './runs-of-deployment.js';

/** An ended deployment with everything it ran. */
export interface PastDeployment {
  readonly deployment: DeploymentRow;
  readonly runs: readonly RunRow[];
}

/** One migration that is applied now and was not when the target was live. */
export interface Applied {
  readonly id: string;
  readonly by: DeploymentRow;
  /** What the database said before and after the deployment that applied it. */
  readonly before: MigrationState;
  readonly after: MigrationState;
}

/** What is known exactly, or why it is not. */
export type Known =
  | { readonly applied: readonly Applied[] }
  | { readonly unknown: string; readonly by: DeploymentRow };

/**
 * What these deployments, oldest first, left applied to the database: what each applied by the tool's own words, without
 * what it or a later rollback undid. Pure. Whatever is not known exactly is said so; nothing is guessed.
 */
export function appliedSince(past: readonly PastDeployment[]): Known {
  let applied: readonly Applied[] = [];
  for (const { deployment, runs } of past) {
    const latest = latestRuns(runs);
    const change = deployment.kind === 'rollback' ? undone(deployment, latest) : done(deployment, latest);
    if ('unknown' in change) return { unknown: change.unknown, by: deployment };
    applied = [...applied.filter(({ id }) => !change.removed.includes(id)), ...change.added];
  }
  return { applied };
}

type Change =
  | { readonly added: readonly Applied[]; readonly removed: readonly string[] }
  | { readonly unknown: string };

const NOTHING: Change = { added: [], removed: [] };

function undone(deployment: DeploymentRow, latest: LatestRuns): Change {
  const down = wayDownSent(latest);
  if (down === undefined) return NOTHING;
  if (down.status !== 'succeeded') return { unknown: `its way down ended ${down.status}` };
  return { added: [], removed: (planOf(deployment).rollback as Rollback).applied };
}

function done(by: DeploymentRow, latest: LatestRuns): Change {
  const record = migrationRecord(planOf(by), latest);
  const down = wayDownSent(latest);
  if (record.is === 'not_begun' || down?.status === 'succeeded') return NOTHING;
  if (record.is === 'unknown') return { unknown: 'what its migration applied was not measured' };
  if (record.applied.length === 0) return NOTHING;
  if (down !== undefined) return { unknown: `its way down ended ${down.status}` };
  const { before, after } = record;
  return { added: record.applied.toReversed().map((id) => ({ id, by, before, after })), removed: [] };
}

function told(state: MigrationState | null): readonly MigrationState[] {
  return state === null || state.moment === Moment.BEGUN ? [] : [state];
}

/** The database as the last deployment of this release measured it from its own tree; null when none did. */
export function lastMeasured(past: readonly PastDeployment[], commit: string): MigrationState | null {
  const states = past.flatMap(({ deployment, runs }) => {
    if (deployment.commit !== commit || deployment.kind === 'rollback') return [];
    return runs.flatMap((run) =>
      run.phase === 'prepare' || run.phase === 'migrate' ? told(run.migration) : [],
    );
  });
  return states.at(-1) ?? null;
}
