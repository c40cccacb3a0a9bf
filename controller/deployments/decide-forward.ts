import type { DeploymentPlan, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import type { DeploymentRow, RunRow } from './ledger.js';
import { alreadyLive, forwardPhases, hasWayDown, isGoingBack, stopRollback } from './decide-rollback.js';
import { refusedAsIrreversible } from './decide-irreversible.js';
import type { RunPhase } from './lifecycle.js';
import { cancelledBy, failureOf, reason } from './reason.js';
import { endedBadly, isOpen, planOf, type LatestRuns } from './runs-of-deployment.js';

/** A running deployment: on to the next phase, or, when there is trouble, stopped and turned round. */
export function forward(situation: Situation, latest: LatestRuns, deadline: Date): Decision {
  const trouble = troubleOf(situation, latest, deadline);
  return trouble === null ? onward(situation, latest, deadline) : stop(situation, latest, trouble);
}

/** A paused deployment: waits for `continue` or `cancel`, and then does what was asked. */
export function pausedUntilContinued(situation: Situation, latest: LatestRuns): Decision {
  const { deployment } = situation;
  const undoing = isGoingBack(deployment, latest.all);
  if (deployment.continueRequestedBy !== null) {
    const phases = forwardPhases(deployment);
    const again = latest.all.filter(endedBadly).filter((run) => phases.includes(run.phase) !== undoing);
    return {
      move: { to: undoing ? 'rolling_back' : 'running', reason: undoing ? causeOf(situation, latest) : null },
      start: again.map((run) => ({ host: run.host, phase: run.phase, attempt: run.attempt + 1 })),
    };
  }
  // What is going back already is not turned round again: it would pause again at once, for ever.
  if (deployment.cancelRequestedBy !== null && !undoing) {
    const why = cancelledBy(deployment.cancelRequestedBy);
    if (!somethingTouched(latest)) return { move: { to: 'cancelled', reason: why } };
    if (deployment.kind === 'rollback') return stopRollback(situation, latest, why);
    return { move: { to: 'rolling_back', reason: why } };
  }
  return { wait: { reason: deployment.reason, until: null } };
}

function troubleOf(situation: Situation, latest: LatestRuns, deadline: Date): Reason | null {
  const { deployment, now } = situation;
  if (deployment.reason !== null) return deployment.reason;
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const failed = firstFailure(deployment, latest);
  if (failed !== null) return failureOf(failed);
  if (now < deadline || allReleased(unsettledHosts(situation), latest)) return null;
  const limit = planOf(deployment).timeoutMs;
  return reason('deployment_timed_out', `not done within its limit of ${limit / 1000} s`, {
    facts: { timeout_ms: String(limit) },
  });
}

/** Why a paused undo is under way: its own reason was overwritten by that of the pause. */
function causeOf({ deployment }: Situation, latest: LatestRuns): Reason {
  if (deployment.cancelRequestedBy !== null) return cancelledBy(deployment.cancelRequestedBy);
  const first = firstFailure(deployment, latest);
  return first === null ? reason('run_failed', 'the deployment was stopped') : failureOf(first);
}

function firstFailure(deployment: DeploymentRow, latest: LatestRuns): RunRow | null {
  const phases = forwardPhases(deployment);
  const bad = latest.all.filter((run) => phases.includes(run.phase) && endedBadly(run));
  return bad.sort((a, b) => Number(a.finishedAt) - Number(b.finishedAt))[0] ?? null;
}

// ── forward ──────────────────────────────────────────────────────────────────

function onward(situation: Situation, latest: LatestRuns, deadline: Date): Decision {
  const plan = planOf(situation.deployment);
  const preparing = phaseOn(hostsOf(plan), 'prepare', latest);
  if (preparing !== 'done') return preparing;
  const hosts = unsettledHosts(situation);
  if (hosts.length === 0) return { move: { to: 'unchanged', reason: alreadyLive(situation.deployment) } };
  const unmeasured = latest.of(plan.migratingHost, 'prepare');
  if (unmeasured?.settled === true)
    return { start: [{ host: unmeasured.host, phase: 'prepare', attempt: unmeasured.attempt + 1 }] };
  if (mustMigrate(situation, latest)) {
    const refused =
      latest.of(plan.migratingHost, 'migrate') === undefined ? refusedAsIrreversible(plan, latest) : null;
    if (refused !== null) return { move: { to: 'failed', reason: refused } };
    const migrating = phaseOn([plan.migratingHost], 'migrate', latest);
    if (migrating !== 'done') return migrating;
  }
  const releasing = releaseByBatch(situation, hosts, latest);
  if (releasing !== 'done') return releasing;
  if (hasWayDown(situation)) {
    const down = phaseOn([plan.migratingHost], 'migrate_down', latest);
    if (down !== 'done') return down;
  }
  return prune(situation, hosts, latest, deadline);
}

/**
 * Those that have something to do. A host that said it is settled is not touched again; one that migrates then prepares a
 * second time, without being asked, because only the whole of `prepare` measures the database.
 */
function unsettledHosts({ deployment, runs }: Situation): readonly string[] {
  const settled = runs.filter((run) => run.phase === 'prepare' && run.settled).map((run) => run.host);
  return hostsOf(planOf(deployment)).filter((host) => !settled.includes(host));
}

function phaseOn(hosts: readonly string[], phase: RunPhase, latest: LatestRuns): Decision | 'done' {
  const missing = hosts.filter((host) => latest.of(host, phase) === undefined);
  if (missing.length > 0) return { start: missing.map((host) => ({ host, phase, attempt: 1 })) };
  const open = latest.inPhase(phase).filter((run) => hosts.includes(run.host) && isOpen(run));
  return open.length > 0 ? waitFor(open) : 'done';
}

/** Nothing to do when the tool itself said, at the end of `prepare`, that nothing is pending. */
function mustMigrate({ deployment }: Situation, latest: LatestRuns): boolean {
  const { migratingHost, migration } = planOf(deployment);
  if (migratingHost === '' || deployment.kind === 'rollback') return false;
  const pending = latest.of(migratingHost, 'prepare')?.migration?.pending;
  return migration?.status.length === 0 || pending === undefined || pending.length > 0;
}

function releaseByBatch(
  { deployment, now }: Situation,
  unsettled: readonly string[],
  latest: LatestRuns,
): Decision | 'done' {
  const { bakeMs, hosts: planned } = planOf(deployment);
  const hosts = planned.filter(({ host }) => unsettled.includes(host));
  const batches = [...new Set(hosts.map((host) => host.batch))].sort((a, b) => a - b);
  let bakedAt = 0;
  for (const batch of batches) {
    const members = hosts.filter((host) => host.batch === batch).map((host) => host.host);
    const untouched = members.every((host) => latest.of(host, 'release') === undefined);
    if (untouched && now.getTime() < bakedAt) {
      const message = `batch ${batch + 1} of ${batches.length} waits until the one before has baked`;
      return { wait: { reason: reason('waiting_for_host', message), until: new Date(bakedAt) } };
    }
    const released = phaseOn(members, 'release', latest);
    if (released !== 'done') return released;
    const finished = latest.inPhase('release').filter((run) => members.includes(run.host));
    bakedAt = Math.max(...finished.map((run) => Number(run.finishedAt))) + bakeMs;
  }
  return 'done';
}

/** A failed prune is a warning: everything is live already. */
function prune({ now }: Situation, hosts: readonly string[], latest: LatestRuns, deadline: Date): Decision {
  const pruning = phaseOn(hosts, 'prune', latest);
  if (pruning !== 'done' && (pruning.start !== undefined || now < deadline)) return pruning;
  if (pruning !== 'done') {
    const late = reason('prune_failed', 'not done within the limit of the deployment');
    return stopOpen(latest.inPhase('prune').filter(isOpen), late);
  }
  const failed = latest.inPhase('prune').find((run) => run.status !== 'succeeded');
  const warning =
    failed === undefined
      ? null
      : {
          ...failureOf(failed),
          code: 'prune_failed',
          message: `live, but old releases were not removed: ${failureOf(failed).message}`,
        };
  return { move: { to: 'succeeded', reason: warning } };
}

function waitFor(open: readonly RunRow[]): Decision {
  const message = open.map((run) => `${run.phase} on ${run.host} is ${run.status}`).join(', ');
  return { wait: { reason: reason('waiting_for_host', message), until: null } };
}

// ── stopping ─────────────────────────────────────────────────────────────────

function stop(situation: Situation, latest: LatestRuns, trouble: Reason): Decision {
  const { deployment } = situation;
  const open = latest.all.filter(isOpen);
  if (open.length > 0) {
    const stopping = stopOpen(open, trouble);
    return deployment.reason === null ? { ...stopping, move: { to: 'running', reason: trouble } } : stopping;
  }
  return turnRound(situation, latest, trouble);
}

function stopOpen(open: readonly RunRow[], why: Reason): Decision {
  const pending = open.filter((run) => run.status === 'pending');
  const toTell = open.filter((run) => run.status !== 'pending' && run.cancelReason === null);
  return {
    drop: pending.map((run) => ({ run, to: 'cancelled' as const, reason: why })),
    cancel: toTell.map((run) => ({ run, reason: why })),
    wait: { reason: why, until: null },
  };
}

/** Nothing is open any more: where to from here? */
function turnRound(situation: Situation, latest: LatestRuns, cause: Reason): Decision {
  const { deployment } = situation;
  const cancelled = cause.code === 'cancelled';
  const unknown = latest
    .dispatched(deployment.kind === 'rollback' ? 'migrate_down' : 'migrate')
    .find((run) => run.status === 'interrupted' || run.status === 'lost');
  if (unknown !== undefined)
    return { move: { to: 'paused', reason: pausedByUnknown(deployment.id, unknown) } };
  if (!somethingTouched(latest)) return { move: { to: cancelled ? 'cancelled' : 'failed', reason: cause } };
  if (deployment.kind === 'rollback') return stopRollback(situation, latest, cause);
  if (cancelled) return { move: { to: 'rolling_back', reason: cause } };
  switch (planOf(deployment).onFailure) {
    case 'pause':
      return { move: { to: 'paused', reason: { ...cause, hint: `fraisier continue ${deployment.id}` } } };
    case 'stop':
      return { move: { to: 'failed', reason: cause } };
    default:
      return { move: { to: 'rolling_back', reason: cause } };
  }
}

function pausedByUnknown(id: string, run: RunRow): Reason {
  const why = failureOf(run);
  const done = run.phase === 'migrate' ? 'applied' : 'undone';
  return {
    ...why,
    code: 'outcome_unknown',
    message: `it is not known whether the migration was ${done} (${why.message}): look at the database first`,
    hint: `fraisier continue ${id} (to run it again) or fraisier cancel ${id}`,
  };
}

function somethingTouched(latest: LatestRuns): boolean {
  return latest.dispatched('migrate').length + latest.dispatched('release').length > 0;
}

function allReleased(hosts: readonly string[], latest: LatestRuns): boolean {
  return hosts.every((host) => latest.of(host, 'release')?.status === 'succeeded');
}

function hostsOf({ hosts }: DeploymentPlan): readonly string[] {
  return hosts.map((one) => one.host);
}
