import type { Decision, Situation } from './decide.js';
import { refusedAsIrreversible } from './decide-irreversible.js';
import { alreadyLive, doneBut, hasWayDown } from './decide-rollback.js';
import { stop, stopOpen } from './decide-stop.js';
import { troubleOf } from './decide-trouble.js';
import type { RunRow } from './ledger.js';
import type { RunPhase } from './lifecycle.js';
import { failureOf, reason } from './reason.js';
import {
  deadlineOf,
  hostsOf,
  isOpen,
  planOf,
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
function prune(
  { deployment, now }: Situation,
  hosts: readonly string[],
  latest: LatestRuns,
  deadline: Date,
): Decision {
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
  return { move: { to: 'succeeded', reason: doneBut(deployment, warning) } };
}

function waitFor(open: readonly RunRow[]): Decision {
  const message = open.map((run) => `${run.phase} on ${run.host} is ${run.status}`).join(', ');
  return { wait: { reason: reason('waiting_for_host', message), until: null } };
}
