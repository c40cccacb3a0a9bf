import type { ExecSpec } from '../../../agent/exec/exec.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import { runHasEnded } from '../../../controller/deployments/lifecycle.js';
import type { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';

/** Words after which a paused deployment may go on. */
const CONTINUING: readonly string[] = ['continue', 'retry', 'skip'].map(
  (act) => `deployment_${act}_requested`,
);

/** A command at work of a step that must not be repeated. */
interface AtWork {
  readonly id: string;
  readonly host: string;
  readonly run: RunRow;
  readonly step: Step;
  readonly startedAtMs: number;
}

/**
 * A step that must not repeat never runs twice: not in its run, not in its deployment without somebody's `continue`, not when
 * the record has given its run up, and no migration while another is at work on the same database. A run is given up only when
 * nothing of that kind can still be at work, as far as its limit was kept.
 */
export class NeverTwice {
  readonly #chronicle: Chronicle;
  readonly #state: () => LedgerState;
  readonly #starts = new Map<string, number>();
  readonly #atWork = new Map<string, AtWork>();
  #checked: LedgerState['runs'] = [];

  constructor(chronicle: Chronicle, state: () => LedgerState) {
    this.#chronicle = chronicle;
    this.#state = state;
  }

  started(host: string, spec: ExecSpec): void {
    const parts = partsOf(spec);
    const run = this.#state().runs.find(({ id }) => id === parts.run);
    const step = run?.steps.find(({ name }) => name === parts.step);
    if (run === undefined || step === undefined)
      return this.#chronicle.fault(`${spec.id} is begun, and the ledger knows nothing of it`);
    if (step.repeatable) return;
    if (this.#count(`${run.id} ${step.name}`) > 1)
      this.#chronicle.fault(`${step.name} of ${run.id} is begun a second time on ${host}`);
    if (runHasEnded(run.status))
      this.#chronicle.fault(`${step.name} is begun, and the record says ${run.id} is ${run.status}`);
    this.#checkDeployment(run, step.name);
    this.#checkDatabase(run, spec);
    this.#atWork.set(spec.id, { id: spec.id, host, run, step, startedAtMs: this.#chronicle.nowMs });
  }

  ended({ id }: ExecSpec): void {
    this.#atWork.delete(id);
  }

  /** After every event. */
  check(): void {
    const { runs } = this.#state();
    if (runs === this.#checked) return;
    this.#checked = runs;
    for (const { id, run, step, startedAtMs } of this.#atWork.values()) {
      const isLost = runs.some((row) => row.id === run.id && row.status === 'lost');
      if (!isLost || this.#chronicle.nowMs > startedAtMs + step.timeoutMs) continue;
      this.#chronicle.fault(`${run.id} is given up while ${id} is at work, within its limit`);
    }
  }

  #checkDeployment({ deploymentId, phase, host }: RunRow, step: string): void {
    const continued = this.#state().audit.filter(
      ({ action, subject }) => CONTINUING.includes(action) && subject === deploymentId,
    ).length;
    const times = this.#count(`${deploymentId} ${phase} ${host} ${step}`);
    if (times > 1 + continued)
      this.#chronicle.fault(
        `${step} of ${deploymentId} is begun ${times} times, and it was continued ${continued} times`,
      );
  }

  #checkDatabase(run: RunRow, { id, argv }: ExecSpec): void {
    if (!MIGRATIONS.includes(argv[0] ?? '')) return;
    const database = this.#databaseOf(run);
    for (const other of this.#atWork.values()) {
      if (other.step.action?.$case === 'migrate' && this.#databaseOf(other.run) === database)
        this.#chronicle.fault(`${id} is begun on the database of ${database} beside ${other.id}`);
    }
  }

  #databaseOf({ deploymentId }: RunRow): string {
    const row = this.#state().deployments.find(({ id }) => id === deploymentId);
    return `${row?.fraise} ${row?.environment}`;
  }

  #count(key: string): number {
    const times = (this.#starts.get(key) ?? 0) + 1;
    this.#starts.set(key, times);
    return times;
  }
}

const MIGRATIONS = ['db-up', 'db-down'];

/** `<run>-<step>-<attempt>-<number>`. */
export function partsOf({ id }: Pick<ExecSpec, 'id'>): { run: string; step: string; attempt: number } {
  const [run = '', step = '', attempt = '0'] = id.split('-');
  return { run, step, attempt: Number(attempt) };
}
