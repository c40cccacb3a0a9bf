import type { DeploymentPlan, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import type { RunRow } from './ledger/run.js';
import { keptOf, migrationRecord, type MigrationRecord } from './migration-record.js';
import { failureOf, reason, withFacts } from './reason.js';
import { mayTake } from './healthy-hosts.js';
import { inReleaseOrder } from './release-order.js';
import { endedBadly, isOpen, planOf, previousOf, undoOf, type LatestRuns } from './runs-of-deployment.js';

/** A deployment being undone: hosts back, newest batch first, then the database once, then the end. */
export function backward(situation: Situation, latest: LatestRuns): Decision {
  const cause = situation.deployment.reason ?? reason('run_failed', 'the deployment was stopped');
  const touched = latest.dispatched('release');
  const undoing = undoHosts(situation, touched, latest);
  if (undoing !== 'done') return undoing;
  const failed = latest.inPhase('undo').find((run) => run.status !== 'succeeded');
  if (failed !== undefined) return end('rollback_failed', undoFailed(failed, cause));
  return undoDatabase(situation, touched, latest, cause);
}

function undoHosts(situation: Situation, touched: readonly RunRow[], latest: LatestRuns): Decision | 'done' {
  const order = inReleaseOrder(planOf(situation.deployment), latest);
  const batch = (host: string) => order.find((one) => one.host === host)?.batch ?? 0;
  const newestFirst = [...new Set(touched.map((run) => batch(run.host)))].sort((a, b) => b - a);
  for (const number of newestFirst) {
    const members = touched.filter((run) => batch(run.host) === number);
    const hosts = members.map(({ host }) => host);
    const open = latest.inPhase('undo').filter((run) => hosts.includes(run.host) && isOpen(run));
    const missing = members.filter((run) => undoOf(latest, run) === undefined);
    const taken = goBack(situation, latest, missing, open.length === 0);
    if (taken.length > 0)
      return { start: taken.map(({ host, attempt }) => ({ host, phase: 'undo' as const, attempt })) };
    if (open.length > 0) return waitOrDrop(situation, open);
  }
  return 'done';
}

/** Never below `min_healthy`, but at least host by host: going back is not refused. */
function goBack(
  situation: Situation,
  latest: LatestRuns,
  missing: readonly RunRow[],
  atLeastOne: boolean,
): readonly RunRow[] {
  const hosts = missing.map(({ host }) => host);
  const allowed = mayTake(situation, latest, hosts);
  return allowed.length === 0 && atLeastOne
    ? missing.slice(0, 1)
    : missing.filter(({ host }) => allowed.includes(host));
}

function undoDatabase(
  situation: Situation,
  touched: readonly RunRow[],
  latest: LatestRuns,
  cause: Reason,
): Decision {
  const plan = planOf(situation.deployment);
  const record = migrationRecord(plan, latest);
  if (record.is === 'not_begun') return endNotBegun(touched, latest, cause);
  const kept = keptReason(plan, record, latest, cause);
  if (kept !== null) return endMigrationKept(touched, latest, kept);
  const down = latest.of(plan.migratingHost, 'migrate_down');
  if (down === undefined) return { start: [{ host: plan.migratingHost, phase: 'migrate_down', attempt: 1 }] };
  if (isOpen(down)) return waitOrDrop(situation, [down]);
  if (down.status === 'interrupted' || down.status === 'lost' || down.status === 'cancelled') {
    return {
      move: {
        to: 'paused',
        reason: { ...failureOf(down), hint: `fraisier continue ${situation.deployment.id}` },
      },
    };
  }
  if (endedBadly(down) || down.status === 'skipped') return end('rollback_failed', notUndone(down, cause));
  return endUndone(touched, latest, withFacts(cause, { migration: 'undone' }));
}

/** Null: it is looked at, and what was applied is undone. */
function keptReason(
  plan: DeploymentPlan,
  record: Exclude<MigrationRecord, { is: 'not_begun' }>,
  latest: LatestRuns,
  cause: Reason,
): Reason | null {
  if (record.is === 'measured') {
    const kept = keptOf(plan, record);
    if (kept.length === 0) return null;
    const message = `${cause.message}; the database keeps ${record.applied.toReversed().join(', ')}: no way down for ${kept.join(', ')}`;
    return withFacts({ ...cause, message }, { migration: 'kept', migrations: record.applied.join(' ') });
  }
  if (plan.migration?.status.length !== 0) return null;
  const applied = latest.dispatched('migrate').every(({ status }) => status === 'succeeded');
  return withFacts(cause, { migration: applied ? 'kept' : 'unknown' });
}

/** What cannot be undone and belongs to a deployment that touched no host leaves a database ahead of the code. */
function endMigrationKept(touched: readonly RunRow[], latest: LatestRuns, cause: Reason): Decision {
  return touched.length === 0 ? end('failed', cause) : endUndone(touched, latest, cause);
}

/** Neither a host nor the database was touched, unless hosts are named. */
function endNotBegun(touched: readonly RunRow[], latest: LatestRuns, cause: Reason): Decision {
  const failed =
    touched.length === 0 && latest.dispatched('migrate').length > 0 && cause.code !== 'cancelled';
  return failed
    ? end('failed', withFacts(cause, { migration: 'not_begun' }))
    : endUndone(touched, latest, cause);
}

function endUndone(touched: readonly RunRow[], latest: LatestRuns, cause: Reason): Decision {
  const back = touched.filter((run) => previousOf(latest, run.host) !== '');
  if (touched.length > 0 && back.length === 0) {
    return end('failed', {
      ...cause,
      code: 'no_previous_release',
      message: `${cause.message}; there was no previous release to go back to, so the service was stopped`,
      facts: { ...cause.facts, cause: cause.code },
    });
  }
  return end('rolled_back', cause);
}

/** An undo for a host that stays away is given up after the deployment's own limit. */
function waitOrDrop({ deployment, now, isGathering }: Situation, open: readonly RunRow[]): Decision {
  const limitMs = planOf(deployment).timeoutMs;
  const isOver = ({ status, createdAt }: RunRow): boolean =>
    status === 'pending' && isGathering !== true && now.getTime() >= createdAt.getTime() + limitMs;
  const tooOld = open.filter(isOver);
  if (tooOld.length > 0) {
    return {
      drop: tooOld.map((run) => {
        const message = `${run.host} did not come back within ${limitMs / 1000} s to be undone`;
        return {
          run,
          to: 'skipped' as const,
          reason: reason('host_lost', message, { facts: { host: run.host } }),
        };
      }),
    };
  }
  const message = open.map((run) => `${run.phase} on ${run.host} is ${run.status}`).join(', ');
  return { wait: { reason: reason('waiting_for_host', message), until: null } };
}

function undoFailed(run: RunRow, cause: Reason): Reason {
  const why = failureOf(run);
  const message = `${cause.message}; going back failed too: ${why.message}`;
  return { ...why, code: 'undo_failed', message, facts: { ...why.facts, cause: cause.code } };
}

function notUndone(run: RunRow, cause: Reason): Reason {
  const why = failureOf(run);
  const message = `${cause.message}; the hosts are back, the database is not: ${why.message}`;
  return { ...why, code: 'migration_not_undone', message, facts: { ...why.facts, cause: cause.code } };
}

function end(to: 'rolled_back' | 'rollback_failed' | 'failed', why: Reason): Decision {
  return { move: { to, reason: why } };
}
