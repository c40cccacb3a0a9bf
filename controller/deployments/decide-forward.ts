import type { Decision, Situation } from './decide.js';
import { endOfRollout } from './decide-end.js';
import { refusedAsIrreversible } from './decide-irreversible.js';
import { phaseOn } from './decide-phase.js';
import { blocked, releaseByBatch } from './decide-release.js';
import { alreadyLive, hasWayDown } from './decide-rollback.js';
import { leaveAway } from './decide-stayed-away.js';
import { stop, stopOpen } from './decide-stop.js';
import { settleUndos, takeBack } from './decide-taken-back.js';
import { troubleOf } from './decide-trouble.js';
import { failureOf, reason } from './reason.js';
import {
  deadlineOf,
  endedBadly,
  hostsOf,
  isOpen,
  planOf,
  skippedHosts,
  unsettledHosts,
  type LatestRuns,
} from './runs-of-deployment.js';

/** A running deployment: on to the next phase, or, when there is trouble, stopped and turned round. */
export function forward(situation: Situation, latest: LatestRuns): Decision {
  const deadline = deadlineOf(situation.deployment);
  const trouble = troubleOf(situation, latest, deadline);
  return trouble === null ? onward(situation, latest, deadline) : stop(situation, latest, trouble);
}

function onward(situation: Situation, latest: LatestRuns, deadline: Date): Decision {
  const plan = planOf(situation.deployment);
  const back = takeBack(situation, latest);
  if (back.length > 0) return { start: back };
  const left = leaveAway(situation, latest);
  if (left !== null) return left;
  const preparing = phaseOn(situation, hostsOf(plan), 'prepare', latest);
  if (preparing !== 'done') return preparing;
  const unsettled = unsettledHosts(situation);
  if (unsettled.length === 0) return { move: { to: 'unchanged', reason: alreadyLive(situation.deployment) } };
  const hosts = unsettled.filter((host) => isPrepared(situation, latest, host));
  const touching = hosts.length === 0 ? 'done' : migrateAndRelease(situation, hosts, latest);
  if (touching !== 'done') return touching;
  const undoing = settleUndos(situation, latest);
  if (undoing !== null) return undoing;
  const released = hosts.filter((host) => latest.of(host, 'release')?.status === 'succeeded');
  return prune(situation, released, latest, deadline);
}

/** A host that was given up before anything was done to it is not released. */
function isPrepared({ deployment }: Situation, latest: LatestRuns, host: string): boolean {
  const prepared = latest.of(host, 'prepare');
  if (prepared !== undefined && endedBadly(prepared)) return false;
  return latest.of(host, 'release') !== undefined || !skippedHosts(deployment).includes(host);
}

function migrateAndRelease(
  situation: Situation,
  hosts: readonly string[],
  latest: LatestRuns,
): Decision | 'done' {
  const plan = planOf(situation.deployment);
  const unmeasured = latest.of(plan.migratingHost, 'prepare');
  if (unmeasured?.settled === true)
    return { start: [{ host: unmeasured.host, phase: 'prepare', attempt: unmeasured.attempt + 1 }] };
  if (mustMigrate(situation, latest)) {
    const migrating = migrate(situation, hosts, latest);
    if (migrating !== 'done') return migrating;
  }
  const releasing = releaseByBatch(situation, hosts, latest);
  if (releasing !== 'done' || !hasWayDown(situation)) return releasing;
  return phaseOn(situation, [plan.migratingHost], 'migrate_down', latest);
}

/** Not begun when nothing of it could be undone, or when no host could be released after it. */
function migrate(situation: Situation, hosts: readonly string[], latest: LatestRuns): Decision | 'done' {
  const plan = planOf(situation.deployment);
  if (latest.of(plan.migratingHost, 'migrate') === undefined) {
    const refused = refusedAsIrreversible(plan, latest);
    if (refused !== null) return { move: { to: 'failed', reason: refused } };
    const waiting = blocked(situation, hosts, latest);
    if (waiting !== null) return waiting;
  }
  return phaseOn(situation, [plan.migratingHost], 'migrate', latest);
}

/** Nothing to do when the tool itself said, at the end of `prepare`, that nothing is pending. */
function mustMigrate({ deployment }: Situation, latest: LatestRuns): boolean {
  const { migratingHost, migration } = planOf(deployment);
  if (migratingHost === '' || deployment.kind === 'rollback') return false;
  const pending = latest.of(migratingHost, 'prepare')?.migration?.pending;
  return migration?.status.length === 0 || pending === undefined || pending.length > 0;
}

/** A failed prune is a warning: everything is live already. */
function prune(situation: Situation, hosts: readonly string[], latest: LatestRuns, deadline: Date): Decision {
  const pruning = phaseOn(situation, hosts, 'prune', latest);
  if (pruning !== 'done' && (pruning.start !== undefined || situation.now < deadline)) return pruning;
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
  return endOfRollout(situation, latest, warning);
}
