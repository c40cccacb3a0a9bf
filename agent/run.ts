import { Outcome } from '../proto/gen/fraisier/v1/agent.js';
import type { Reason, Step } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../proto/error-codes.js';
import { AT_START, afterStep, endOf, isDue } from './after-step.js';
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

const EMPTY_POLICY: Policy = {
  file: '',
  repositories: [],
  paths: [],
  units: [],
  unit_files: [],
  users: [],
  commands: [],
};

/**
 * Works a run off, step by step, from wherever its journal stands: a new one, or one that an earlier start of the agent
 * left. Returns when its RunFinished is in the journal, or when `leave` aborts. What the end of a step makes of the run is
 * said in after-step.ts; the policy is asked before the first step that is begun. Throws only when the agent itself is broken.
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
  let standing = AT_START;
  for (const step of run.folder.assignment.steps) {
    if (run.leave.aborted) return null;
    if (!isDue(step, standing)) continue;
    const before = trace.steps.get(step.name);
    const barred = before === undefined ? barrier(run, refusal) : null;
    if (barred !== null) return standing.failure ?? barred;
    const end = endBefore(before) ?? (await endNow(ports, run, step, before));
    if (end === null) return null;
    await tidyCommands(ports, await commandsOf(run, step), run);
    standing = afterStep(standing, step, end);
  }
  return endOf(standing);
}

/** Why no further step is begun; null when nothing is against it. */
function barrier({ cancelled }: RunInHand, refusal: Reason | null): StepEnd | null {
  if (cancelled.aborted) return { outcome: Outcome.CANCELLED, reason: cancelled.reason as Reason };
  return refusal === null ? null : { outcome: Outcome.FAILED, reason: refusal };
}

/** How the step ended before this process came, null when it did not. */
function endBefore(before: StepTrace | undefined): StepEnd | null {
  const finished = before?.finished ?? null;
  if (finished === null) return null;
  const { outcome, reason, result } = finished;
  return { outcome, reason, result } as StepEnd;
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
  const origin = await ports.originOf(folder.target);
  const reason = 'reason' in end ? end.reason : undefined;
  const value = { outcome: end.outcome, reason, liveRelease, origin };
  await folder.append(ports.clock.now(), { $case: 'runFinished', value });
}
