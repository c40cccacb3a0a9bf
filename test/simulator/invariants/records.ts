import type { ExecEnd, ExecSpec } from '../../../agent/exec/exec.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import {
  ACTIVE_STATUSES,
  DEPLOYMENT_STATUSES,
  RUN_STATUSES,
  deploymentHasEnded,
  runHasEnded,
} from '../../../controller/deployments/lifecycle.js';
import { Outcome, type RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Chronicle } from '../chronicle.js';
import type { LedgerState } from '../ledger-state.js';
import { partsOf } from './never-twice.js';

type Row = { readonly id: string; readonly status: string };

/**
 * Records are moved by the rules and say what happened: one active deployment per fraise and environment, what ended stays as it
 * ended, no honest agent is refused, and how a step ended on its host is how it is recorded.
 */
export class Records {
  readonly #chronicle: Chronicle;
  readonly #state: () => LedgerState;
  /** By run, step and attempt: how its last command really ended. */
  readonly #truth = new Map<string, ExecEnd>();
  #seen: LedgerState | null = null;
  readonly #statuses = new Map<string, string>();
  #audited = 0;

  constructor(chronicle: Chronicle, state: () => LedgerState) {
    this.#chronicle = chronicle;
    this.#state = state;
  }

  ended(spec: ExecSpec, end: ExecEnd): void {
    const { run, step, attempt } = partsOf(spec);
    this.#truth.set(`${run} ${step} ${attempt}`, end);
  }

  /** Called after every event; looks at what changed since. */
  check(): void {
    const state = this.#state();
    const before = this.#seen;
    if (state === before) return;
    this.#seen = state;
    if (state.deployments !== before?.deployments) this.#checkDeployments(state);
    if (state.runs !== before?.runs) this.#checkRuns(state, before?.runs ?? []);
    if (state.events !== before?.events)
      for (const { event } of state.events.slice(before?.events.length ?? 0)) this.#checkEvent(event);
    if (state.audit.length > this.#audited) this.#checkAudit(state);
  }

  #checkDeployments({ deployments }: LedgerState): void {
    const active = new Set<string>();
    for (const row of deployments) {
      this.#moved(row);
      if (!(ACTIVE_STATUSES as readonly string[]).includes(row.status)) continue;
      const pair = `${row.fraise} ${row.environment}`;
      if (active.has(pair)) this.#chronicle.fault(`two deployments of ${pair} are active`);
      active.add(pair);
    }
  }

  /** Rows are replaced and never changed. */
  #checkRuns({ runs }: LedgerState, before: LedgerState['runs']): void {
    runs.forEach((run, at) => {
      if (run !== before[at]) this.#moved(run, ` ${run.phase} on ${run.host}`);
    });
  }

  #moved({ id, status }: Row, what = ''): void {
    const before = this.#statuses.get(id);
    if (before === status) return;
    this.#statuses.set(id, status);
    this.#chronicle.tell('ledger', `${id}${what} ${status}`);
    if (before !== undefined && TERMINAL.has(before))
      this.#chronicle.fault(`${id} was ${before} and is ${status}`);
  }

  #checkEvent({ runId, event }: RunEvent): void {
    if (event?.$case !== 'stepFinished') return;
    const { step, attempt, outcome } = event.value;
    const truth = this.#truth.get(`${runId} ${step} ${attempt}`);
    const run = this.#state().runs.find(({ id }) => id === runId);
    if (truth === undefined || run === undefined) return;
    const did = truth.ended === 'exited' && truth.exitCode === 0;
    if (outcome === Outcome.SUCCEEDED && !did)
      this.#chronicle.fault(
        `${step} of ${runId} is recorded as succeeded and ended ${JSON.stringify(truth)}`,
      );
    if (did && isOneCommand(run, step) && (outcome === Outcome.FAILED || outcome === Outcome.CANCELLED))
      this.#chronicle.fault(`${step} of ${runId} succeeded and is recorded as ${outcome}`);
  }

  #checkAudit({ audit }: LedgerState): void {
    for (const { action, subject, facts } of audit.slice(this.#audited))
      if (action === 'message_refused')
        this.#chronicle.fault(`the honest agent on ${subject} was refused: ${facts['message']}`);
    this.#audited = audit.length;
  }
}

const TERMINAL: ReadonlySet<string> = new Set([
  ...DEPLOYMENT_STATUSES.filter(deploymentHasEnded),
  ...RUN_STATUSES.filter(runHasEnded),
]);

function isOneCommand({ steps }: RunRow, name: string): boolean {
  return steps.some((step) => step.name === name && step.action?.$case === 'migrate');
}
