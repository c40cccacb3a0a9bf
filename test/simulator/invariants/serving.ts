import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { runHasEnded } from '../../../controller/deployments/lifecycle.js';
import type { DeploymentPlan } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';
import type { SimulatedHost } from '../simulated-host.js';
import type { Pair, Software } from '../software.js';

/** What is true of the hosts, whatever the record says of them. */
export interface Truth {
  readonly hosts: () => readonly SimulatedHost[];
  readonly software: Software;
  readonly state: () => LedgerState;
}

/**
 * No release stops a service that answers, where that leaves fewer hosts that answer than are to stay healthy: by what runs on the
 * hosts at that very moment. Only what nobody can know is forgiven: hosts whose power went while their agent still counted as
 * connected, and hosts beside the deployment, which are not looked at.
 */
export class Serving {
  readonly #chronicle: Chronicle;
  readonly #truth: Truth;
  /** By run, the hosts whose agent was connected when it was decided. */
  readonly #connected = new Map<string, ReadonlySet<string>>();
  #checked: LedgerState['runs'] = [];

  constructor(chronicle: Chronicle, truth: Truth) {
    this.#chronicle = chronicle;
    this.#truth = truth;
  }

  /** After every event. */
  check(): void {
    const { runs, agents } = this.#truth.state();
    if (runs === this.#checked) return;
    this.#checked = runs;
    for (const { id, phase, createdAt } of runs) {
      if (phase !== 'release' || this.#connected.has(id)) continue;
      const here = agents.filter(
        ({ leaseExpiresAt }) => leaseExpiresAt !== null && leaseExpiresAt > createdAt,
      );
      this.#connected.set(id, new Set(here.map(({ name }) => name)));
    }
  }

  /** A step of this run is about to stop the service on its host. */
  stops(host: SimulatedHost, runId: string, pair: Pair): void {
    const { runs, deployments } = this.#truth.state();
    const run = runs.find(({ id }) => id === runId);
    const deployment = deployments.find(({ id }) => id === run?.deploymentId);
    if (run === undefined || deployment?.plan == null || !this.#answers(host, pair)) return;
    // Going back is never refused, and what was given up is no decision any more.
    if (run.phase !== 'release' || deployment.kind === 'rollback') return;
    if (deployment.status !== 'running' || runHasEnded(run.status) || countedAsIll(run, runs)) return;
    const { minHealthy } = deployment.plan;
    const left = this.#leftBy(run, deployment.plan, pair);
    if (left.length < minHealthy)
      this.#chronicle.fault(
        `${deployment.id} stops ${pair.fraise} on ${host.name}, where it answers: that leaves ${left.join(' ') || 'none'}, and ${minHealthy} are to stay healthy`,
      );
  }

  #leftBy(run: RunRow, { hosts, beside }: DeploymentPlan, pair: Pair): readonly string[] {
    const wereHere = this.#connected.get(run.id) ?? new Set<string>();
    const named = [...hosts.map((one) => one.host), ...beside].filter((name) => name !== run.host);
    return named.filter((name) => {
      const host = this.#truth.hosts().find((one) => one.name === name);
      if (host === undefined) return false;
      const isForgiven = !host.powered || beside.includes(name);
      return this.#answers(host, pair) || (isForgiven && wereHere.has(name));
    });
  }

  #answers(host: SimulatedHost, pair: Pair): boolean {
    const { serving } = host.installed(pair);
    return host.powered && this.#truth.software.commit(pair.fraise, serving)?.healthy === true;
  }
}

/** By what `prepare` found, or by an attempt before that did not end well: then it may be taken whatever it does by now. */
function countedAsIll(run: RunRow, runs: readonly RunRow[]): boolean {
  const own = runs.filter(({ deploymentId, host }) => deploymentId === run.deploymentId && host === run.host);
  const prepared = own.findLast(({ phase }) => phase === 'prepare');
  if (prepared?.unhealthy === true || (prepared?.previousRelease ?? '') === '') return true;
  const before = own.findLast(
    ({ phase, attempt, dispatchedAt }) =>
      phase === 'release' && attempt < run.attempt && dispatchedAt !== null,
  );
  const back = own.findLast(({ phase, attempt }) => phase === 'undo' && attempt >= (before?.attempt ?? 0));
  return before !== undefined && back?.status !== 'succeeded';
}
