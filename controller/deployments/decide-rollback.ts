import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Decision, Situation } from './decide.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import type { RunPhase } from './lifecycle.js';
import { failureOf, reason } from './reason.js';
import { planOf, type LatestRuns } from './runs-of-deployment.js';

/** The phases whose failure is trouble. A rollback on demand takes the database down as its last act, not as an undo. */
export function forwardPhases({ kind }: Pick<DeploymentRow, 'kind'>): readonly RunPhase[] {
  return kind === 'rollback' ? ['prepare', 'release', 'migrate_down'] : ['prepare', 'migrate', 'release'];
}

/** Whether the deployment is being undone, also when that is paused: only the way down of its database pauses it then. */
export function isGoingBack({ kind }: Pick<DeploymentRow, 'kind'>, runs: readonly RunRow[]): boolean {
  return kind !== 'rollback' && runs.some(({ phase }) => phase === 'migrate_down');
}

/**
 * A rollback is never undone by itself: what it goes back from is what somebody wanted to be rid of. It stops where it
 * is, and says what is live where.
 */
export function stopRollback(situation: Situation, latest: LatestRuns, cause: Reason): Decision {
  const plan = planOf(situation.deployment);
  const [down] = latest.dispatched('migrate_down');
  const stopped = withLive(situation, latest, cause);
  if (cause.code === 'cancelled') return { move: { to: 'cancelled', reason: stopped } };
  if (down !== undefined && down.status !== 'succeeded')
    return { move: { to: 'failed', reason: notTakenDown(stopped, down) } };
  if (plan.onFailure !== 'pause') return { move: { to: 'failed', reason: stopped } };
  const hint = `fraisier continue ${situation.deployment.id}`;
  return { move: { to: 'paused', reason: { ...stopped, hint } } };
}

function withLive({ deployment }: Situation, latest: LatestRuns, cause: Reason): Reason {
  const { hosts } = planOf(deployment);
  const live = hosts.map(({ host }) => `${host} has ${liveOn(latest, host)}`).join(', ');
  const stopped = 'the rollback stopped there and is not undone';
  const message = `${cause.message}; ${stopped}: ${live} live; ${databaseNow(latest)}${leftOut(deployment)}`;
  const hint = `fraisier status ${deployment.fraise} ${deployment.environment}`;
  return { ...cause, message, hint, facts: { ...cause.facts, live } };
}

/** What a rollback that is done has still to say: of hosts that did not answer, and of a warning. */
export function rolledBackBut(deployment: DeploymentRow, warning: Reason | null): Reason | null {
  const skipped = skippedBy(deployment);
  if (skipped.length === 0) return warning;
  const hosts = planOf(deployment).hosts.map(({ host }) => host);
  const why = warning ?? reason('agent_away', `back on ${hosts.join(', ')}`);
  return {
    ...why,
    message: `${why.message}${leftOut(deployment)}`,
    hint: `fraisier rollback ${deployment.fraise} ${deployment.environment} --to ${deployment.commit.slice(0, 12)} (once they answer)`,
    facts: { ...why.facts, skipped: skipped.join(' ') },
  };
}

function leftOut(deployment: DeploymentRow): string {
  const skipped = skippedBy(deployment);
  return skipped.length === 0
    ? ''
    : `; left as they were, because they did not answer: ${skipped.join(', ')}`;
}

function skippedBy(deployment: DeploymentRow): readonly string[] {
  return planOf(deployment).rollback?.skipped ?? [];
}

function databaseNow(latest: LatestRuns): string {
  const [down] = latest.dispatched('migrate_down');
  return down === undefined ? 'the database was not touched' : `the way down of the database ${down.status}`;
}

/** What the host's newest report says; before any, what `prepare` found. */
function liveOn(latest: LatestRuns, host: string): string {
  const told = (['release', 'prepare'] as const)
    .map((phase) => latest.of(host, phase)?.liveRelease ?? latest.of(host, phase)?.previousRelease)
    .find((release) => typeof release === 'string');
  if (told === undefined) return 'something unknown';
  return told === '' ? 'nothing' : told.slice(0, 12);
}

function notTakenDown(why: Reason, down: RunRow): Reason {
  return {
    ...why,
    code: 'migration_not_undone',
    message: `the hosts are back, the database is not: ${why.message}`,
    facts: { ...why.facts, cause: failureOf(down).code },
  };
}

/** The database goes down once every host is back; only then is a rollback done. */
export function hasWayDown({ deployment }: Situation): boolean {
  return (planOf(deployment).rollback?.applied.length ?? 0) > 0;
}

/** Nothing to do: what every host said when it looked at itself. */
export function alreadyLive(deployment: DeploymentRow): Reason {
  const { commit, fraise, environment } = deployment;
  const { leftOut: away } = planOf(deployment);
  const where = away.length === 0 ? 'every host' : `every host but ${away.join(', ')}, left out,`;
  return reason('already_live', `${commit.slice(0, 12)} is live, healthy and running on ${where} already`, {
    hint: `fraisier deploy ${fraise} ${environment} --commit ${commit} --force`,
    facts: { commit },
  });
}
