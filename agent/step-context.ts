import { join } from 'node:path';
import type { Reason, Step } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import type { ExecEnd, ExecSpec } from './exec/exec.js';
import type { RecordedCommand } from './run-folder.js';
import type { RunInHand, RunPorts } from './run-ports.js';
import { isCode } from './steps/ends.js';
import type { CommandEnd, StepCommand, StepContext } from './steps/step.js';

const CAPTURED_BYTES = 1024 * 1024;
/** Of what a command without capture printed, the end: for the sentence that says why it failed. */
const TAIL_BYTES = 4096;
/** Of what a command with capture said beside its data, the end: enough for all that git names. */
const ERRORS_BYTES = 64 * 1024;

/** One attempt of one step while this process works on it. */
export interface AttemptInHand {
  readonly run: RunInHand;
  readonly step: Step;
  readonly attempt: number;
  /** Commands of this attempt that an earlier start of the agent began: waited for, not started again. */
  readonly adopted: readonly RecordedCommand[];
  /** Aborts with a Reason when the attempt is to be stopped (`cancelled`, `timed_out`). */
  readonly stop: AbortSignal;
  /** Aborts when nothing the step still does counts any more. */
  readonly over: AbortSignal;
}

/** Whether a step's only effect is one command, whose result is then the step's. */
export function isSingleCommand(step: Step): boolean {
  const { action } = step;
  if (action?.$case === 'script') return action.value.run;
  return action?.$case === 'command' || action?.$case === 'migrate';
}

/** What the step is given; `begun` tells whether a command was started by it. */
export function stepContext(
  ports: RunPorts,
  attempt: AttemptInHand,
): { context: StepContext; begun: () => boolean } {
  const { run, step } = attempt;
  const { assignment } = run.folder;
  const commands = new StepCommands(ports, attempt);
  const context: StepContext = {
    runId: run.folder.runId,
    phase: assignment.phase,
    target: run.folder.target,
    commit: assignment.commit,
    step,
    attempt: attempt.attempt,
    policy: run.policy,
    stateFolder: ports.stateFolder,
    signal: AbortSignal.any([attempt.stop, attempt.over]),
    command: (command) => commands.run(command),
    note: (code, message, facts = {}) => note(ports, attempt, code, message, facts),
    log: async (line) => {
      attempt.over.throwIfAborted();
      if (commands.replaying) return;
      await ports.disk.append(
        run.folder.logPath({ step: step.name, attempt: attempt.attempt }),
        Buffer.from(`${line}\n`),
      );
    },
    now: () => ports.clock.now(),
    sleep: (ms, signal) => ports.clock.sleep(ms, signal),
    systemd: ports.systemd,
  };
  return { context, begun: () => commands.begun };
}

/** Journals a note of the attempt; throws when the attempt is over. */
export async function note(
  ports: RunPorts,
  attempt: AttemptInHand,
  code: string,
  message: string,
  facts: Readonly<Record<string, string>> = {},
): Promise<void> {
  attempt.over.throwIfAborted();
  const value = { step: attempt.step.name, attempt: attempt.attempt, code, message, facts: { ...facts } };
  await attempt.run.folder.append(ports.clock.now(), { $case: 'stepNote', value });
}

/** The commands of one attempt, in the order in which the step asks for them. */
class StepCommands {
  readonly #ports: RunPorts;
  readonly #attempt: AttemptInHand;
  #asked = 0;
  /** Size of the step's output when the command in hand was started. */
  #printedBefore = 0;
  begun = false;

  constructor(ports: RunPorts, attempt: AttemptInHand) {
    this.#ports = ports;
    this.#attempt = attempt;
    this.begun = attempt.adopted.length > 0;
  }

  /** What the step says before its adopted command has ended was said by an earlier start of the agent. */
  get replaying(): boolean {
    return this.#asked < this.#attempt.adopted.length;
  }

  async run(command: StepCommand): Promise<CommandEnd> {
    const { stop, over, adopted } = this.#attempt;
    over.throwIfAborted();
    const number = this.#asked + 1;
    const known = adopted.find((one) => one.number === number);
    if (known === undefined && stop.aborted) return stopped(stop);
    const spec = known?.spec ?? this.#specOf(command, number);
    if (known === undefined && !(await this.#begin(spec, number))) return stopped(stop);
    const end = await this.#endOf(spec, command.limitMs);
    this.#asked = number;
    if (command.limitMs !== undefined) await this.#forget(spec);
    return end;
  }

  /** False: stopped before it was started. */
  async #begin(spec: ExecSpec, number: number): Promise<boolean> {
    const { run, step, attempt, stop, over } = this.#attempt;
    const recorded = { step: step.name, attempt, number, spec };
    for (;;) {
      if (!step.repeatable) await this.#waitForLease();
      over.throwIfAborted();
      if (stop.aborted) return false;
      await orDiskFull(run.folder.recordCommand(recorded));
      over.throwIfAborted();
      if (step.repeatable || this.#ports.lease.valid) break;
      await run.folder.forgetCommand(spec);
    }
    this.begun = true;
    this.#printedBefore = await this.#ports.disk.size(spec.outputFile);
    await orDiskFull(this.#ports.exec.start(spec));
    return true;
  }

  /** Fencing: what must not be done twice is begun only while the controller counts on this agent. */
  async #waitForLease(): Promise<void> {
    const { stop, over } = this.#attempt;
    if (this.#ports.lease.valid) return;
    await note(
      this.#ports,
      this.#attempt,
      'waiting',
      'waiting for the controller before a step that must not be done twice',
    );
    await this.#ports.lease.untilValid(AbortSignal.any([stop, over])).catch((error: unknown) => {
      if (!stop.aborted) throw error;
    });
  }

  async #endOf(spec: ExecSpec, limitMs: number | undefined): Promise<CommandEnd> {
    const { stop, over } = this.#attempt;
    const limit = this.#limit(limitMs);
    const stops = AbortSignal.any([stop, limit.signal]);
    try {
      return await this.#commandEnd(spec, await this.#ports.exec.wait(spec, AbortSignal.any([stops, over])));
    } catch (error) {
      if (over.aborted || !stops.aborted) throw error;
      return await this.#stop(spec, stops);
    } finally {
      limit.clear();
    }
  }

  #limit(limitMs: number | undefined): { readonly signal: AbortSignal; readonly clear: () => void } {
    const limit = new AbortController();
    const cleared = new AbortController();
    if (limitMs !== undefined) {
      const tooLong = reason('timed_out', `no end within ${limitMs} ms`);
      this.#ports.clock.sleep(limitMs, cleared.signal).then(
        () => limit.abort(tooLong),
        () => undefined,
      );
    }
    return { signal: limit.signal, clear: () => cleared.abort() };
  }

  async #forget(spec: ExecSpec): Promise<void> {
    await this.#ports.exec.forget(spec);
    await this.#attempt.run.folder.forgetCommand(spec);
  }

  /** One that had ended before it was told to keeps its end: it is known. */
  async #stop(spec: ExecSpec, stop: AbortSignal): Promise<CommandEnd> {
    const found = await this.#ports.exec.look(spec);
    if (found.ended === 'exited' || found.ended === 'not_found') return this.#commandEnd(spec, found);
    await this.#ports.exec.stop(spec);
    return stopped(stop);
  }

  async #commandEnd(spec: ExecSpec, end: ExecEnd): Promise<CommandEnd> {
    switch (end.ended) {
      case 'exited': {
        const output = (await this.#outputOf(spec)).toString();
        if (spec.captureFile === null) return { ...end, output };
        return { ...end, output, errors: (await this.#logTail(spec, ERRORS_BYTES)).toString() };
      }
      case 'absent':
        return {
          ended: 'unknown',
          reason: reason(
            'outcome_unknown',
            `what became of the command ${spec.id} is not known: it is gone without a result`,
          ),
        };
      case 'signalled':
      case 'not_found':
        return end;
    }
  }

  async #outputOf(spec: ExecSpec): Promise<Buffer> {
    const { disk } = this.#ports;
    return spec.captureFile === null
      ? this.#logTail(spec, TAIL_BYTES)
      : disk.readAt(spec.captureFile, 0, CAPTURED_BYTES);
  }

  async #logTail(spec: ExecSpec, most: number): Promise<Buffer> {
    const { disk } = this.#ports;
    const size = await disk.size(spec.outputFile);
    const from = Math.max(this.#printedBefore, size - most);
    return disk.readAt(spec.outputFile, from, Math.max(0, size - from));
  }

  #specOf(command: StepCommand, number: number): ExecSpec {
    const { run, step, attempt } = this.#attempt;
    const id = `${run.folder.runId}-${step.name}-${attempt}-${number}`;
    return {
      id,
      argv: command.argv,
      cwd: command.cwd ?? this.#ports.stateFolder,
      user: command.user === undefined || command.user === '' ? null : command.user,
      environment: command.environment ?? {},
      environmentFile:
        command.environmentFile === undefined || command.environmentFile === ''
          ? null
          : command.environmentFile,
      outputFile: run.folder.logPath({ step: step.name, attempt }),
      captureFile: command.capture === true ? join(run.folder.path, `${id}.out`) : null,
      folder: run.folder.path,
      graceMs: this.#ports.graceMs,
    };
  }
}

function stopped(stop: AbortSignal): CommandEnd {
  return { ended: 'stopped', reason: stop.reason as Reason };
}

/** All that is written before a command is started: when there is no room for it, nothing was started. */
async function orDiskFull<T>(writing: Promise<T>): Promise<T> {
  return writing.catch((error: unknown) => {
    if (!isCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    throw new FraisierError('disk_full', 'a command could not be started: the disk is full', {
      hint: 'free space on this host, then retry',
      cause: error,
    });
  });
}
