import { decide, type Decision, type Situation } from '../../../controller/deployments/decide.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { deploymentHasEnded, runHasEnded } from '../../../controller/deployments/lifecycle.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import { isGoingBack } from '../../../controller/deployments/decide-rollback.js';
import { failures, isForAll } from '../../../controller/deployments/failed-hosts.js';
import { latestRuns } from '../../../controller/deployments/runs-of-deployment.js';
import { unansweredHosts } from '../../../controller/deployments/unanswered.js';
import type { Rollout } from '../../../controller/fraises/fraises.js';
import { reason } from '../../../controller/deployments/reason.js';
import { Moment } from '../../../proto/gen/fraisier/v1/plan.js';
import {
  aDatabase,
  aDeployment,
  anEnvironment,
  aRollout,
  aState,
  COMMIT,
  NOON,
  PREVIOUS,
} from '../../support/builders.js';

/** What a story is made of. */
export interface FleetOf {
  readonly rollout: Partial<Rollout>;
  readonly hosts: number;
  /** More hosts of the environment, which are left alone. */
  readonly beside: number;
  readonly migrates: boolean;
  readonly kind: 'deploy' | 'rollback';
  /** Whether each host is healthy before; those beyond the list are. */
  readonly healthy: readonly boolean[];
  /** What happens next, one after the other; when they are used up nothing goes wrong any more. */
  readonly chances: readonly number[];
}

const MOST_ROUNDS = 3000;

/** Hosts that live by what is decided: they do it, fail, go away and come back. Nothing of `decide` is asked how it did. */
export class AFleet {
  deployment: DeploymentRow;
  runs: RunRow[] = [];
  now = NOON.getTime();
  /** What every decision broke, in words. */
  readonly faults: string[] = [];
  readonly names: readonly string[];
  readonly #beside: readonly string[];
  readonly #healthy = new Map<string, boolean>();
  readonly #hadRelease: ReadonlyMap<string, boolean>;
  readonly #awaySince = new Map<string, number>();
  readonly #chances: number[];
  #answered = 0;
  /** Whether the controller has only just come. */
  #isGathering = false;
  #ids = 0;

  constructor({ rollout, hosts, beside, migrates, kind, healthy, chances }: FleetOf) {
    this.names = Array.from({ length: hosts }, (_, at) => `h${at + 1}`);
    this.#beside = Array.from({ length: beside }, (_, at) => `b${at + 1}`);
    this.names.forEach((name, at) => this.#healthy.set(name, healthy[at] ?? true));
    this.#hadRelease = new Map(this.names.map((name, at) => [name, healthy[at] ?? at % 4 !== 3]));
    for (const [name, had] of this.#hadRelease) if (!had) this.#healthy.set(name, false);
    this.#chances = [...chances];
    const database = migrates && kind === 'deploy' ? aDatabase : null;
    const environment = anEnvironment({ rollout: aRollout(rollout), database });
    const made = { environment, commit: COMMIT, ref: 'main', madeAt: NOON };
    this.deployment = aDeployment({ kind, plan: makePlan({ ...made, hosts: this.names, fleet: this.#all }) });
  }

  get #all(): readonly string[] {
    return [...this.names, ...this.#beside];
  }

  /** To its end, or for as many rounds as no story needs. */
  live(): void {
    for (let round = 0; round < MOST_ROUNDS && !deploymentHasEnded(this.deployment.status); round += 1) {
      const decision = decide(this.#situation());
      if (JSON.stringify(decide(this.#situation())) !== JSON.stringify(decision))
        this.faults.push('the same situation was decided in another way');
      // A controller that dies leaves what it decided undone; another one decides again.
      if (this.#chance(30) || !this.#carryOut(decision)) this.#somethingHappens(decision);
    }
    if (!deploymentHasEnded(this.deployment.status))
      this.faults.push(`it is ${this.deployment.status} for ever`);
  }

  #situation(): Situation {
    const now = new Date(this.now);
    const hosts = this.#all.map((name) => {
      const valid = new Date(this.#awaySince.get(name) ?? this.now + 30_000);
      return { name, leaseExpiresAt: valid, validUntil: valid };
    });
    return { deployment: this.deployment, runs: this.runs, hosts, now, isGathering: this.#isGathering };
  }

  /** One in so many; never once the chances are used up. */
  #chance(outOf: number): boolean {
    const next = this.#chances.pop();
    return next !== undefined && next % outOf === 0;
  }

  #carryOut({ move, start = [], drop = [], lose = [], cancel = [] }: Decision): boolean {
    for (const { run, to } of drop) this.#change(run, { status: to, finishedAt: new Date(this.now) });
    for (const { run } of lose) this.#change(run, { status: 'lost', finishedAt: new Date(this.now) });
    for (const { run, reason: why } of cancel)
      this.#change(run, { cancelReason: why, cancelAskedAt: new Date(this.now) });
    this.#checkStarts(start);
    for (const { host, phase, attempt } of start) this.#begin(host, phase, attempt);
    if (move !== undefined)
      this.deployment = {
        ...this.deployment,
        ...{ status: move.to, reason: move.reason, continueRequestedBy: null },
        answers: this.deployment.answers.filter(({ act }) => act === 'skip'),
        ...(move.to === 'paused' ? { cancelRequestedBy: null } : {}),
      };
    return move !== undefined || start.length + drop.length + lose.length + cancel.length > 0;
  }

  #begin(host: string, phase: RunRow['phase'], attempt: number): void {
    if (this.runs.some((run) => run.host === host && run.phase === phase && run.attempt === attempt))
      this.faults.push(`${phase} on ${host} is begun twice as attempt ${attempt}`);
    this.runs = [
      ...this.runs,
      aPendingRun(`r_${(this.#ids += 1)}`, host, phase, attempt, new Date(this.now)),
    ];
  }

  #checkStarts(start: NonNullable<Decision['start']>): void {
    const released = start.filter(({ phase }) => phase === 'release').map(({ host }) => host);
    const undone = start.filter(({ phase }) => phase === 'undo').map(({ host }) => host);
    if (start.some(({ phase }) => phase === 'migrate')) this.#checkMigration();
    if (released.length > 0 && this.deployment.kind === 'deploy') {
      this.#checkFailures(released);
      this.#checkHealthy(released, 'releases', 0);
    }
    if (undone.length > 0 && this.deployment.status === 'rolling_back')
      this.#checkHealthy(undone, 'undoes', 1);
  }

  #checkMigration(): void {
    const before = this.runs.filter(
      ({ phase, dispatchedAt }) => phase === 'migrate' && dispatchedAt !== null,
    );
    if (before.some(({ status }) => status === 'succeeded'))
      this.faults.push('it migrates again what is migrated');
    if (before.length > this.#answered) this.faults.push(`it migrates ${before.length + 1} times`);
  }

  #checkFailures(released: readonly string[]): void {
    const { continuedAt, answers, plan } = this.deployment;
    const skipped = answers.filter(({ act }) => act === 'skip').map(({ host }) => host);
    const lastOf = (host: string, phase: RunRow['phase']) =>
      this.runs.filter((run) => run.host === host && run.phase === phase).at(-1);
    const failed = this.names.filter((host) =>
      (['prepare', 'release'] as const).some((phase) => {
        const last = lastOf(host, phase);
        if (last === undefined || !BAD.includes(last.status)) return false;
        return continuedAt === null || Number(last.finishedAt) > continuedAt.getTime();
      }),
    );
    const count = failed.filter((host) => !skipped.includes(host)).length;
    if (count > (plan?.maxFailures ?? 0))
      this.faults.push(`it releases on ${released.join(' ')} though ${count} failed`);
    const again = released.find((host) => skipped.includes(host));
    if (again !== undefined) this.faults.push(`it releases on ${again}, which was skipped`);
  }

  #checkHealthy(hosts: readonly string[], does: string, free: number): void {
    const taken = hosts.filter((host) => this.#healthy.get(host) === true);
    // Who is away counts for nothing, whatever is true of it.
    const counts = (host: string) => !this.#awaySince.has(host) && !hosts.includes(host);
    const own = this.names.filter((host) => this.#healthy.get(host) === true && counts(host));
    const beside = this.#beside.filter(counts);
    const left = own.length + beside.length;
    if (taken.length > free && left < (this.deployment.plan?.minHealthy ?? 0))
      this.faults.push(`it ${does} ${hosts.join(' ')}, and ${left} stay healthy`);
  }

  #somethingHappens({ wait }: Decision): void {
    if (this.deployment.status === 'paused') return this.#somebodyAnswers();
    if (this.#chance(90)) this.deployment = { ...this.deployment, cancelRequestedBy: 'ana' };
    this.#comeAndGo();
    const open = this.runs.filter(({ status }) => !runHasEnded(status));
    const here = open.filter(({ host }) => !this.#awaySince.has(host));
    if (here.length === 0 || this.#chance(10))
      this.now = Math.max(this.now + 5_000, Number(wait?.until ?? 0));
    else this.#goesOn(here[(this.#chances.at(-1) ?? 0) % here.length] as RunRow);
    this.now += 1;
  }

  #comeAndGo(): void {
    this.#isGathering = this.#chance(20);
    for (const name of this.#all) {
      if (this.#awaySince.has(name) ? !this.#chance(4) : this.#chance(80)) this.#toggle(name);
    }
  }

  #toggle(name: string): void {
    if (!this.#awaySince.delete(name)) this.#awaySince.set(name, this.now - 1);
  }

  #goesOn(run: RunRow): void {
    const at = new Date(this.now);
    if (run.status === 'pending') return this.#change(run, { status: 'dispatched', dispatchedAt: at });
    if (run.status === 'dispatched') {
      if (run.phase === 'release' || run.phase === 'undo') this.#healthy.set(run.host, false);
      return this.#change(run, { status: 'running', startedAt: at });
    }
    const broken = this.#chance(4);
    const end = run.cancelReason !== null ? 'cancelled' : broken ? this.#badly() : 'succeeded';
    if (run.phase === 'release' && end === 'succeeded') this.#healthy.set(run.host, true);
    if (run.phase === 'undo' && end === 'succeeded')
      this.#healthy.set(run.host, this.#hadRelease.get(run.host) === true);
    this.#change(run, { status: end, finishedAt: at, ...this.#foundBy(run, end) });
  }

  #badly(): 'failed' | 'interrupted' {
    return this.#chance(3) ? 'interrupted' : 'failed';
  }

  #foundBy({ phase, host }: RunRow, end: RunRow['status']): Partial<RunRow> {
    if (end !== 'succeeded') return { reason: reason('run_failed', `it ended ${end}`) };
    if (phase === 'migrate') return { migration: aState('r2', [], { moment: Moment.AFTER }) };
    if (phase !== 'prepare') return {};
    const had = this.#hadRelease.get(host) === true;
    const migration = host === this.deployment.plan?.migratingHost ? aState('r1', ['r2']) : null;
    return {
      migration,
      previousRelease: had ? PREVIOUS : '',
      unhealthy: had && this.#healthy.get(host) === false,
    };
  }

  /** As the use case does: a word on each host that failed, or `continue`, or `cancel`. */
  #somebodyAnswers(): void {
    this.now += 1000;
    const { deployment } = this;
    const latest = latestRuns(this.runs);
    const goingBack = isGoingBack(deployment, this.runs);
    // Whoever is asked too often gives up.
    if (!goingBack && this.#chances.length === 0) {
      this.deployment = { ...deployment, cancelRequestedBy: 'ana' };
      return;
    }
    const [host] = goingBack || deployment.kind === 'rollback' ? [] : unansweredHosts(deployment, latest);
    const isNeeded = failures(deployment, latest).some(
      (run) => run.host === host && isForAll(run, deployment.plan?.migratingHost ?? ''),
    );
    const out = deployment.answers.filter(({ act }) => act === 'skip').length;
    if (host === undefined || isNeeded || out + 1 >= this.names.length || this.#chance(3))
      return this.#goOn();
    const answers = [
      ...deployment.answers,
      { host, act: this.#chance(2) ? 'retry' : 'skip', by: 'ana', wasAway: false } as const,
    ];
    this.deployment = { ...deployment, answers };
    if (unansweredHosts(this.deployment, latest).length === 0) this.#goOn();
  }

  #goOn(): void {
    this.#answered += 1;
    this.deployment = { ...this.deployment, continueRequestedBy: 'ana', continuedAt: new Date(this.now) };
    this.now += 1;
  }

  #change(run: RunRow, change: Partial<RunRow>): void {
    this.runs = this.runs.map((one) => (one.id === run.id ? { ...one, ...change } : one));
  }
}

const BAD: readonly RunRow['status'][] = ['failed', 'interrupted', 'lost', 'cancelled'];

function aPendingRun(
  id: string,
  host: string,
  phase: RunRow['phase'],
  attempt: number,
  createdAt: Date,
): RunRow {
  return {
    ...{ id, deploymentId: 'd_1', host, phase, attempt, steps: [], commit: COMMIT, status: 'pending' },
    ...{ reason: null, lastSeq: 0, cancelReason: null, cancelAskedAt: null, currentStep: null },
    ...{ previousRelease: null, previousProvenGood: null, migration: null, liveRelease: null },
    ...{ settled: false, unhealthy: false, createdAt, dispatchedAt: null, startedAt: null, finishedAt: null },
  };
}
