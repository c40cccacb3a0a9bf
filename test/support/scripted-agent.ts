import { Outcome, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { StepResult, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from '../../controller/deployments/edges.js';
import type { RunRow } from '../../controller/deployments/ledger/run.js';
import { reason } from '../../controller/deployments/reason.js';
import { dispatchOne, recordOne } from './one-agent.js';
import { PREVIOUS } from './builders.js';

/** What a step of the script comes to: fine, or how it ends otherwise. */
export type Script = (
  step: Step,
  run: RunRow,
) => 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'hangs';

const OUTCOMES = {
  succeeded: Outcome.SUCCEEDED,
  failed: Outcome.FAILED,
  cancelled: Outcome.CANCELLED,
  interrupted: Outcome.INTERRUPTED,
} as const;

type Body = NonNullable<RunEvent['event']>;

/** An agent that only reports: takes what is dispatched to it and says what the script says, through the real use cases. */
export class ScriptedAgent {
  readonly done: string[] = [];
  private readonly held = new Set<string>();
  live = PREVIOUS;
  /** Of an in_place checkout. */
  origin = '';
  readonly name: string;
  private readonly edges: Edges;
  private readonly epoch: number;
  private readonly script: Script;

  constructor(edges: Edges, name: string, epoch: number, script: Script = () => 'succeeded') {
    this.edges = edges;
    this.name = name;
    this.epoch = epoch;
    this.script = script;
  }

  /** Takes and plays every run that is waiting for it; true when there was one. */
  async work(): Promise<boolean> {
    const { assignments, cancels } = await dispatchOne(this.edges, this.name, this.epoch);
    for (const { runId } of cancels) await this.stop(runId);
    const fresh = assignments.filter((assignment) => !this.held.has(assignment.runId));
    for (const { runId } of fresh) await this.play(runId);
    return fresh.length + cancels.length > 0;
  }

  private async play(runId: string): Promise<void> {
    this.held.add(runId);
    const run = await this.edges.ledger.run(runId);
    if (run === null) throw new Error(`no run ${runId}`);
    await this.report(run, { $case: 'runStarted', value: { bootId: 'b' } });
    for (const step of run.steps) {
      const ends = this.script(step, run);
      await this.report(run, { $case: 'stepStarted', value: { step: step.name, attempt: 1, bootId: 'b' } });
      if (ends === 'hangs') return;
      this.done.push(`${run.phase} ${step.name}`);
      await this.report(run, this.finished(step, ends));
      if (ends !== 'succeeded') return this.end(run, ends);
    }
    await this.end(run, 'succeeded');
  }

  private async stop(runId: string): Promise<void> {
    const run = await this.edges.ledger.run(runId);
    if (run === null) return;
    if (run.status === 'dispatched') await this.report(run, { $case: 'runStarted', value: { bootId: 'b' } });
    await this.end(run, 'cancelled');
  }

  private async end(run: RunRow, ends: keyof typeof OUTCOMES): Promise<void> {
    if (run.phase === 'release' || run.phase === 'undo') this.live = run.commit;
    const why = ends === 'succeeded' ? undefined : reason('run_failed', `${ends} as the script says`);
    await this.report(run, {
      $case: 'runFinished',
      value: { outcome: OUTCOMES[ends], reason: why, liveRelease: this.live, origin: this.origin },
    });
  }

  private finished(step: Step, ends: keyof typeof OUTCOMES): Body {
    const migration =
      step.action?.$case === 'migrationStatus' ? { revision: 'r1', pending: ['r2'] } : undefined;
    const result = StepResult.fromPartial({
      previousRelease: step.name === 'preflight' ? this.live : '',
      ...(migration === undefined ? {} : { migration }),
    });
    const value = {
      step: step.name,
      attempt: 1,
      outcome: OUTCOMES[ends],
      reason: undefined,
      durationMs: 1,
      result,
    };
    return { $case: 'stepFinished', value: { ...value, logBytes: 0, logTruncated: false } };
  }

  private async report(run: RunRow, event: Body): Promise<void> {
    const seq = ((await this.edges.ledger.run(run.id))?.lastSeq ?? 0) + 1;
    const value: RunEvent = { runId: run.id, seq, at: await this.edges.ledger.now(), event };
    await recordOne(this.edges, { agent: this.name, epoch: this.epoch }, [{ $case: 'event', value }]);
  }
}
