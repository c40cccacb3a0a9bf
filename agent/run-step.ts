import { Outcome } from '../proto/gen/fraisier/v1/agent.js';
import { StepResult, type Reason, type Step } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import { whenAborted } from './aborting.js';
import { LOG_CAP_BYTES } from './log-cap.js';
import type { RecordedCommand } from './run-folder.js';
import type { RunInHand, RunPorts } from './run-ports.js';
import { note, stepContext, type AttemptInHand } from './step-context.js';
import type { StepEnd } from './steps/step.js';

/** Beyond the grace that commands are given: what a step may need to notice that it was stopped. */
const STOP_MARGIN_MS = 5_000;
/** For a plan that names no limit. */
const DEFAULT_TIMEOUT_MS = 600_000;

/** How an attempt begins: afresh, or where an earlier start of the agent left it. */
export type Opening =
  | { readonly how: 'start'; readonly attempt: number }
  | {
      readonly how: 'adopt';
      readonly attempt: number;
      readonly commands: readonly RecordedCommand[];
      readonly startedAt: Date;
    };

/**
 * One attempt of one step, from its StepStarted to its StepFinished in the journal; null when this process stopped
 * looking before its end. Guarantee: over at the latest `timeout_ms` plus the grace plus 5 s after it was started.
 * Throws only when the journal does: a broken agent.
 */
export async function runAttempt(
  ports: RunPorts,
  run: RunInHand,
  step: Step,
  opening: Opening,
): Promise<StepEnd | null> {
  const startedMs = ports.clock.uptimeMs() - elapsedMs(ports, opening);
  if (opening.how === 'start') await journalStart(ports, run, step, opening.attempt);
  const limits = new AttemptLimits(
    ports,
    run,
    (step.timeoutMs || DEFAULT_TIMEOUT_MS) - elapsedMs(ports, opening),
    step,
  );
  try {
    const attempt: AttemptInHand = {
      run,
      step,
      ...openingParts(opening),
      stop: limits.stop,
      over: limits.over,
    };
    if (opening.how === 'adopt' && opening.commands.length > 0) {
      await note(ports, attempt, 'adopted', 'the agent was restarted and found the command again');
    }
    const worked = work(ports, attempt).then((end) => settle(end, limits.stop));
    const end = await Promise.race([worked, limits.reached]);
    limits.close();
    await journalEnd(ports, attempt, end, ports.clock.uptimeMs() - startedMs);
    return end;
  } catch (error) {
    limits.close();
    if (run.leave.aborted) return null;
    throw error;
  }
}

/** Journals the end of an attempt that this process does not work on: its result is known to be unknown. */
export async function journalEnd(
  ports: RunPorts,
  { run, step, attempt }: Pick<AttemptInHand, 'run' | 'step' | 'attempt'>,
  end: StepEnd,
  durationMs: number,
): Promise<void> {
  const log = run.folder.logPath({ step: step.name, attempt });
  await ports.disk.sync(log);
  const written = await ports.disk.size(log);
  await run.folder.append(ports.clock.now(), {
    $case: 'stepFinished',
    value: {
      step: step.name,
      attempt,
      outcome: end.outcome,
      reason: 'reason' in end ? end.reason : undefined,
      durationMs: Math.max(0, Math.round(durationMs)),
      result: 'result' in end && end.result !== undefined ? StepResult.fromPartial(end.result) : undefined,
      logBytes: Math.min(written, LOG_CAP_BYTES),
      logTruncated: written > LOG_CAP_BYTES,
    },
  });
}

async function journalStart(ports: RunPorts, run: RunInHand, step: Step, attempt: number): Promise<void> {
  const value = { step: step.name, attempt, bootId: ports.bootId };
  await run.folder.append(ports.clock.now(), { $case: 'stepStarted', value });
}

/** By the wall clock, which is all that two starts of the agent share; a clock set back costs time, never gains a second limit. */
function elapsedMs(ports: RunPorts, opening: Opening): number {
  if (opening.how === 'start') return 0;
  return Math.max(0, ports.clock.now().getTime() - opening.startedAt.getTime());
}

function openingParts(opening: Opening): { attempt: number; adopted: readonly RecordedCommand[] } {
  return { attempt: opening.attempt, adopted: opening.how === 'adopt' ? opening.commands : [] };
}

async function work(ports: RunPorts, attempt: AttemptInHand): Promise<StepEnd> {
  const { context, begun } = stepContext(ports, attempt);
  try {
    const end = await ports.runStep(attempt.step, context);
    // What a step says because the agent leaves is not its end.
    attempt.run.leave.throwIfAborted();
    const neverBegan = end.outcome === Outcome.INTERRUPTED && attempt.stop.aborted && !begun();
    return neverBegan ? stoppedEnd(attempt.stop.reason as Reason) : end;
  } catch (error) {
    if (attempt.run.folder.journal.broken || attempt.run.leave.aborted) throw error;
    if (attempt.stop.aborted) return endWhenStopped(attempt.step, begun(), attempt.stop.reason as Reason);
    ports.logger.error({ err: error, run: context.runId, step: context.step.name }, 'step broke');
    const why = brokenReason(error);
    if (attempt.step.repeatable || !begun()) return { outcome: Outcome.FAILED, reason: why };
    const message = `the agent broke while the step ran, so its outcome is not known: ${why.message}`;
    return { outcome: Outcome.INTERRUPTED, reason: reason('outcome_unknown', message) };
  }
}

function brokenReason(error: unknown): Reason {
  if (error instanceof FraisierError) return error.reason;
  const message = error instanceof Error ? error.message : String(error);
  const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  return full
    ? reason('disk_full', `the disk is full: ${message}`)
    : reason('internal', `the step broke: ${message}`);
}

/** A step that was stopped ends with the reason it was stopped for, whatever it said itself. */
function settle(end: StepEnd, stop: AbortSignal): StepEnd {
  if (!stop.aborted || end.outcome === Outcome.SUCCEEDED || end.outcome === Outcome.INTERRUPTED) return end;
  return stoppedEnd(stop.reason as Reason);
}

/** Of a step that did not say itself how it ended: what must not be repeated and was begun may have had its effect. */
function endWhenStopped({ repeatable }: Step, begun: boolean, why: Reason): StepEnd {
  if (repeatable || !begun) return stoppedEnd(why);
  const message = `the outcome of the step is not known: ${why.message}`;
  return { outcome: Outcome.INTERRUPTED, reason: reason('outcome_unknown', message, { facts: why.facts }) };
}

function stoppedEnd(why: Reason): StepEnd {
  return { outcome: why.code === 'timed_out' ? Outcome.FAILED : Outcome.CANCELLED, reason: why };
}

/** The time limit and the cancellation of one attempt. */
class AttemptLimits {
  readonly #stop = new AbortController();
  readonly #over = new AbortController();
  readonly #listening: readonly (() => void)[];
  /** Resolves when the attempt was stopped and did not end by itself within the grace; rejects when it is over. */
  readonly reached: Promise<StepEnd>;

  constructor(ports: RunPorts, run: RunInHand, leftMs: number, step: Step) {
    this.#listening = [
      whenAborted(run.cancelled, () => this.#stop.abort(run.cancelled.reason)),
      whenAborted(run.leave, () => this.#over.abort(run.leave.reason)),
    ];
    ports.clock.sleep(Math.max(0, leftMs), this.over).then(
      () => this.#stop.abort(tookTooLong(step)),
      () => undefined,
    );
    this.reached = this.#reached(ports, step);
    this.reached.catch(() => undefined);
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  close(): void {
    this.#over.abort(new FraisierError('internal', 'the attempt is over'));
    for (const stop of this.#listening) stop();
  }

  async #reached(ports: RunPorts, step: Step): Promise<StepEnd> {
    await new Promise<void>((resolve, reject) => {
      whenAborted(this.stop, resolve);
      whenAborted(this.over, () => reject(this.over.reason as Error));
    });
    await ports.clock.sleep(ports.graceMs + STOP_MARGIN_MS, this.over);
    const why = this.stop.reason as Reason;
    const message = `${why.message}; it did not end when it was told to`;
    return endWhenStopped(step, true, { ...why, message });
  }
}

function tookTooLong({ name, timeoutMs }: Step): Reason {
  return reason(
    'timed_out',
    `the step ${name} took longer than its limit of ${timeoutMs / 1000} s and was stopped`,
    {
      facts: { step: name, timeout_ms: String(timeoutMs) },
    },
  );
}
