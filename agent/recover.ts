import { Outcome } from '../proto/gen/fraisier/v1/agent.js';
import type { Reason, Step } from '../proto/gen/fraisier/v1/plan.js';
import { reason } from '../proto/error-codes.js';
import { unlessAborted } from './aborting.js';
import type { RecordedCommand } from './run-folder.js';
import type { RunInHand, RunPorts } from './run-ports.js';
import type { Opening } from './run-step.js';
import { isSingleCommand } from './step-context.js';
import type { StepEnd } from './steps/step.js';
import type { StepTrace } from './trace.js';

/** A step that brings the agent down every time is not tried for ever. */
const MOST_ATTEMPTS = 5;
/** Beyond the commands' own grace. */
const STOP_MARGIN_MS = 5_000;

const LATE_START_MS = 1_000;

/** What to do about a step that was begun and whose end is not in the journal. */
export type Recovery =
  | Opening
  | { readonly how: 'end'; readonly attempt: number; readonly startedAt: Date; readonly end: StepEnd };

/**
 * Law 5, never guess: a step whose only effect is one command is taken up where it stands if the command or its result
 * is found on the same boot. Anything else is stopped and repeated if the step may be, and `interrupted` if not.
 */
export async function recoverStep(
  ports: RunPorts,
  run: RunInHand,
  step: Step,
  trace: StepTrace,
): Promise<Recovery> {
  const commands = (await run.folder.commands()).filter((one) => one.step === step.name);
  const ofAttempt = commands.filter((one) => one.attempt === trace.attempt);
  if (isSingleCommand(step) && trace.bootId === ports.bootId && (await standsFirm(ports, ofAttempt))) {
    return { how: 'adopt', attempt: trace.attempt, commands: ofAttempt, startedAt: trace.startedAt };
  }
  const problem = await stopAll(ports, commands, run.leave);
  if (problem !== null) return interrupted(trace, problem);
  if (!step.repeatable) return interrupted(trace, whyUnknown(ports, step, trace));
  if (trace.attempt >= MOST_ATTEMPTS) return interrupted(trace, givenUp(step, trace));
  return { how: 'start', attempt: trace.attempt + 1 };
}

/** Ends what is left of commands whose step is over, and forgets them. */
export async function tidyCommands(
  ports: RunPorts,
  commands: readonly RecordedCommand[],
  run: RunInHand,
): Promise<void> {
  for (const { spec } of commands) {
    if ((await ports.exec.look(spec)).ended === 'running') continue;
    await ports.exec.forget(spec);
    if (spec.captureFile !== null) await ports.disk.remove(spec.captureFile);
    await run.folder.forgetCommand(spec);
  }
}

/** A `systemd-run` that outlived the agent by a moment may still be about to start its unit. */
async function isAbsent({ exec, clock }: RunPorts, { spec }: RecordedCommand): Promise<boolean> {
  if ((await exec.look(spec)).ended !== 'absent') return false;
  if (exec.kind === 'child_process') return true;
  await clock.sleep(LATE_START_MS, new AbortController().signal);
  return (await exec.look(spec)).ended === 'absent';
}

/** No command was recorded, so none was started (the intent is on the disk before the start); or each is there to be asked. */
async function standsFirm(ports: RunPorts, commands: readonly RecordedCommand[]): Promise<boolean> {
  for (const command of commands) {
    if (await isAbsent(ports, command)) return false;
  }
  return true;
}

/** Null when nothing of them is left. Rejects when the agent leaves meanwhile. */
async function stopAll(
  ports: RunPorts,
  commands: readonly RecordedCommand[],
  leave: AbortSignal,
): Promise<Reason | null> {
  for (const command of commands) {
    if (await isAbsent(ports, command)) continue;
    const { spec } = command;
    const enough = new AbortController();
    const patience = ports.clock.sleep(ports.graceMs + STOP_MARGIN_MS, enough.signal).catch(() => undefined);
    await unlessAborted(Promise.race([ports.exec.stop(spec), patience]), [leave]);
    enough.abort();
    leave.throwIfAborted();
    if ((await ports.exec.look(spec)).ended === 'running') {
      return reason(
        'outcome_unknown',
        `the command ${spec.id}, left from before the agent was restarted, cannot be stopped`,
      );
    }
  }
  return null;
}

function interrupted(trace: StepTrace, why: Reason): Recovery {
  return {
    how: 'end',
    attempt: trace.attempt,
    startedAt: trace.startedAt,
    end: { outcome: Outcome.INTERRUPTED, reason: why },
  };
}

function whyUnknown(ports: RunPorts, step: Step, trace: StepTrace): Reason {
  const facts = {
    step: step.name,
    attempt: String(trace.attempt),
    started_at: trace.startedAt.toISOString(),
  };
  if (trace.bootId !== ports.bootId) {
    return reason(
      'host_rebooted',
      `the host was rebooted while the step ${step.name} ran: what it had done by then is not known`,
      { facts },
    );
  }
  return reason(
    'outcome_unknown',
    `the agent was restarted while the step ${step.name} ran, and its command is gone without a result`,
    { facts },
  );
}

function givenUp(step: Step, trace: StepTrace): Reason {
  return reason(
    'outcome_unknown',
    `the agent was restarted ${trace.attempt} times while the step ${step.name} ran; it is not tried again`,
    {
      hint: 'see whether the step itself stops the agent or exhausts the host',
      facts: { step: step.name, attempt: String(trace.attempt) },
    },
  );
}
