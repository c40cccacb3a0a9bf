import { dealBatches } from '../../../controller/deployments/batches.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { runHasEnded } from '../../../controller/deployments/lifecycle.js';
import type { DeploymentPlan } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';

/**
 * A release goes over the hosts as its plan says: nothing live is touched before all are prepared, or given up, and the database is
 * migrated; one batch at a time; no further host once more have failed than the plan allows, unless somebody said `continue`;
 * and no healthy one, where that would leave fewer than are to stay so, as far as the record can know.
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

  #checkBegin(run: RunRow, deployment: DeploymentRow, runs: readonly RunRow[]): void {
    const { id, plan, kind, answers } = deployment;
    const say = (what: string): void => this.#chronicle.fault(`${id} releases on ${run.host}, ${what}`);
    if (plan === null) return say('without a plan');
    const latest = latestOf(runs);
    const skipped = answers.filter(({ act }) => act === 'skip').map(({ host }) => host);
    if (skipped.includes(run.host)) say('which somebody left out');
    const unprepared = plan.hosts.filter(({ host }) => latest.get(`prepare ${host}`)?.status !== 'succeeded');
    for (const { host } of unprepared) {
      const ended = runHasEnded(latest.get(`prepare ${host}`)?.status ?? 'pending');
      if (!ended || host === run.host || host === plan.migratingHost) say(`and ${host} is not prepared`);
    }
    const migrated = latest.get(`migrate ${plan.migratingHost}`)?.status ?? 'not begun';
    const pending = latest.get(`prepare ${plan.migratingHost}`)?.migration?.pending ?? [];
    if (kind !== 'rollback' && pending.length > 0 && migrated !== 'succeeded')
      say(`and the migration of ${pending.join(' ')} is ${migrated}`);
    const batches = batchesIn(plan, latest);
    const releases = [...latest.values()].filter(({ phase }) => phase === 'release');
    const beside = releases.find(
      (one) => !runHasEnded(one.status) && batches.get(one.host) !== batches.get(run.host),
    );
    if (beside !== undefined) say(`while ${beside.host} of another batch is released`);
    const zoneOf = (host: string): string => plan.hosts.find((one) => one.host === host)?.zone ?? '';
    const elsewhere = releases.find(
      (one) => !runHasEnded(one.status) && zoneOf(one.host) !== zoneOf(run.host),
    );
    if (elsewhere !== undefined) say(`while ${elsewhere.host} of another zone is released`);
    const bad = failedHosts(deployment, latest).filter((host) => !skipped.includes(host));
    const most = kind === 'rollback' ? 0 : plan.maxFailures;
    if (bad.length > most) say(`though ${bad.join(', ')} failed and ${most} may`);
    if (kind !== 'rollback') this.#checkHealthy(run, plan, latest, say);
  }

  /** Who is in hand, or failed and did not get back, is not healthy. */
  #checkHealthy(run: RunRow, plan: DeploymentPlan, latest: Latest, say: (what: string) => void): void {
    const wasHealthy = (host: string): boolean => {
      const prepared = latest.get(`prepare ${host}`);
      return (prepared?.previousRelease ?? '') !== '' && prepared?.unhealthy === false;
    };
    const isHealthy = (host: string): boolean => {
      const release = latest.get(`release ${host}`);
      const undo = latest.get(`undo ${host}`);
      if (undo !== undefined && undo.attempt >= (release?.attempt ?? 0))
        return undo.status === 'succeeded' && wasHealthy(host);
      return release?.status === 'succeeded' || (release?.dispatchedAt == null && wasHealthy(host));
    };
    const before = latest.get(`undo ${run.host}`)?.status ?? 'succeeded';
    if (!wasHealthy(run.host) || before !== 'succeeded') return;
    const hosts = [...plan.hosts.map(({ host }) => host), ...plan.beside];
    const healthy = hosts.filter(
      (host) => host !== run.host && (plan.beside.includes(host) || isHealthy(host)),
    );
    if (healthy.length < plan.minHealthy)
      say(`which leaves ${healthy.length} healthy, and ${plan.minHealthy} are to stay so`);
  }
}

type Latest = ReadonlyMap<string, RunRow>;

/** As they were dealt: anew when hosts turned out to be unhealthy, or could not be prepared. */
function batchesIn(plan: DeploymentPlan, latest: Latest): ReadonlyMap<string, number> {
  const isIll = ({ host }: { readonly host: string }): boolean =>
    latest.get(`prepare ${host}`)?.unhealthy === true;
  const among = plan.hosts.filter(({ host }) => {
    const prepared = latest.get(`prepare ${host}`)?.status ?? 'pending';
    return prepared === 'succeeded' || !runHasEnded(prepared) || latest.has(`release ${host}`);
  });
  const order = [...among.filter(isIll), ...among.filter((one) => !isIll(one))];
  const dealt = dealBatches(
    order.map(({ zone }) => zone),
    plan.batchSizes,
  );
  return new Map(order.map(({ host }, at) => [host, dealt[at] as number]));
}

/** Since somebody last said `continue`. */
function failedHosts({ continuedAt }: DeploymentRow, latest: Latest): readonly string[] {
  const bad = [...latest.values()].filter(
    ({ phase, status, finishedAt }) =>
      (phase === 'release' || phase === 'prepare') &&
      runHasEnded(status) &&
      status !== 'succeeded' &&
      !(continuedAt !== null && finishedAt !== null && finishedAt <= continuedAt),
  );
  return [...new Set(bad.map(({ host }) => host))];
}

/** The last attempt of each phase on each host. */
function latestOf(runs: readonly RunRow[]): Latest {
  const latest = new Map<string, RunRow>();
  for (const run of runs) {
    const key = `${run.phase} ${run.host}`;
    if ((latest.get(key)?.attempt ?? 0) < run.attempt) latest.set(key, run);
  }
  return latest;
}
