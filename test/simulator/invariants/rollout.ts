import type { DeploymentRow, RunRow } from '../../../controller/deployments/ledger.js';
import { runHasEnded } from '../../../controller/deployments/lifecycle.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';

/**
 * A release goes over the hosts as its plan says: nothing live is touched before all are prepared and the database is migrated,
 * one batch at a time, and no further host once more have failed than the plan allows, unless somebody said `continue`.
 */
export class Rollout {
  readonly #chronicle: Chronicle;
  readonly #state: () => LedgerState;
  readonly #begun = new Set<string>();
  #checked: LedgerState['runs'] = [];

  constructor(chronicle: Chronicle, state: () => LedgerState) {
    this.#chronicle = chronicle;
    this.#state = state;
  }

  /** After every event. */
  check(): void {
    const { runs, deployments } = this.#state();
    if (runs === this.#checked) return;
    this.#checked = runs;
    for (const run of runs) {
      if (run.phase !== 'release' || this.#begun.has(run.id)) continue;
      this.#begun.add(run.id);
      const deployment = deployments.find(({ id }) => id === run.deploymentId);
      if (deployment !== undefined)
        this.#checkBegin(
          run,
          deployment,
          runs.filter((one) => one.deploymentId === deployment.id),
        );
    }
  }

  #checkBegin(run: RunRow, { id, plan, kind }: DeploymentRow, runs: readonly RunRow[]): void {
    const say = (what: string): void => this.#chronicle.fault(`${id} releases on ${run.host}, ${what}`);
    if (plan === null) return say('without a plan');
    const latest = latestOf(runs);
    for (const { host } of plan.hosts)
      if (latest.get(`prepare ${host}`)?.status !== 'succeeded') say(`and ${host} is not prepared`);
    const migrated = latest.get(`migrate ${plan.migratingHost}`)?.status ?? 'not begun';
    const pending = latest.get(`prepare ${plan.migratingHost}`)?.migration?.pending ?? [];
    if (kind !== 'rollback' && pending.length > 0 && migrated !== 'succeeded')
      say(`and the migration of ${pending.join(' ')} is ${migrated}`);
    const batchOf = (name: string): number => plan.hosts.find(({ host }) => host === name)?.batch ?? -1;
    const releases = [...latest.values()].filter(({ phase }) => phase === 'release');
    const beside = releases.find(
      (one) => !runHasEnded(one.status) && batchOf(one.host) !== batchOf(run.host),
    );
    if (beside !== undefined) say(`while ${beside.host} of another batch is released`);
    const bad = releases.filter(({ status }) => runHasEnded(status) && status !== 'succeeded').length;
    if (bad > plan.maxFailures) say(`though ${bad} failed and ${plan.maxFailures} may`);
  }
}

/** The last attempt of each phase on each host. */
function latestOf(runs: readonly RunRow[]): ReadonlyMap<string, RunRow> {
  const latest = new Map<string, RunRow>();
  for (const run of runs) {
    const key = `${run.phase} ${run.host}`;
    if ((latest.get(key)?.attempt ?? 0) < run.attempt) latest.set(key, run);
  }
  return latest;
}
