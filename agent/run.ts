import { Outcome } from '../proto/gen/fraisier/v1/agent.js';
import type { Reason, Step } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../proto/error-codes.js';
import type { Policy } from './policy.js';
import { recoverStep, tidyCommands, type Recovery } from './recover.js';
import type { RunFolder } from './run-folder.js';
import type { RunInHand, RunPorts } from './run-ports.js';
import { journalEnd, runAttempt } from './run-step.js';
import type { StepEnd } from './steps/step.js';
import { traceOf, type RunTrace, type StepTrace } from './trace.js';

/** A run to be worked on; its signals are those of `RunInHand`. */
export interface RunToDo {
  readonly folder: RunFolder;
  readonly cancelled: AbortSignal;
  readonly leave: AbortSignal;
}

const EMPTY_POLICY: Policy = { file: '', repositories: [], paths: [], units: [], users: [], commands: [] };

/**
 * Works a run off, step by step, from wherever its journal stands: a new one, or one that an earlier start of the agent
 * left. Returns when its RunFinished is in the journal, or when `leave` aborts. The first step that does not succeed ends
 * it; the policy is asked before the first step that is begun. Throws only when the agent itself is broken.
 */
export async function executeRun(ports: RunPorts, todo: RunToDo): Promise<void> {
  const trace = traceOf(await todo.folder.journal.all());
  if (trace.finished !== null) return;
  if (!trace.started)
    await todo.folder.append(ports.clock.now(), { $case: 'runStarted', value: { bootId: ports.bootId } });
  const { policy, refusal } = await askPolicy(ports, todo.folder);
  const run: RunInHand = { ...todo, policy };
  const end = await workOff(ports, run, trace, refusal);
  if (end !== null) await finishRun(ports, run, end);
}

/** Null when this process stopped looking before the end. */
async function workOff(
  ports: RunPorts,
  run: RunInHand,
  trace: RunTrace,
  refusal: Reason | null,
): Promise<StepEnd | null> {
  for (const step of run.folder.assignment.steps) {
    if (run.leave.aborted) return null;
    const before = trace.steps.get(step.name);
    if (before === undefined) {
      if (run.cancelled.aborted)
        return { outcome: Outcome.CANCELLED, reason: run.cancelled.reason as Reason };
      if (refusal !== null) return { outcome: Outcome.FAILED, reason: refusal };
    }
    const end = endBefore(before) ?? (await endNow(ports, run, step, before));
    if (end === null) return null;
    await tidyCommands(ports, await commandsOf(run, step), run);
    if (end.outcome !== Outcome.SUCCEEDED) return end;
  }
  return { outcome: Outcome.SUCCEEDED };
}

/** How the step ended before this process came, null when it did not. */
function endBefore(before: StepTrace | undefined): StepEnd | null {
  const finished = before?.finished ?? null;
  return finished === null ? null : ({ outcome: finished.outcome, reason: finished.reason } as StepEnd);
}

async function endNow(
  ports: RunPorts,
  run: RunInHand,
  step: Step,
  before: StepTrace | undefined,
): Promise<StepEnd | null> {
  const opening: Recovery =
    before === undefined ? { how: 'start', attempt: 1 } : await recoverStep(ports, run, step, before);
  if (opening.how !== 'end') return runAttempt(ports, run, step, opening);
  const tookMs = ports.clock.now().getTime() - opening.startedAt.getTime();
  await journalEnd(ports, { run, step, attempt: opening.attempt }, opening.end, tookMs);
  return opening.end;
}

async function commandsOf(run: RunInHand, step: Step): ReturnType<RunFolder['commands']> {
  return (await run.folder.commands()).filter((one) => one.step === step.name);
}

async function askPolicy(
  ports: RunPorts,
  folder: RunFolder,
): Promise<{ policy: Policy; refusal: Reason | null }> {
  try {
    const policy = await ports.loadPolicy();
    return { policy, refusal: await ports.checkPolicy(folder.target, folder.assignment.steps, policy) };
  } catch (error) {
    if (error instanceof FraisierError) return { policy: EMPTY_POLICY, refusal: error.reason };
    throw error;
  }
}

async function finishRun(ports: RunPorts, { folder }: RunInHand, end: StepEnd): Promise<void> {
  const liveRelease = await ports.liveRelease(folder.target);
  const value = { outcome: end.outcome, reason: 'reason' in end ? end.reason : undefined, liveRelease };
  await folder.append(ports.clock.now(), { $case: 'runFinished', value });
}
