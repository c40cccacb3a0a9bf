import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { childProcessExec } from '../../../agent/exec/child-process.js';
import type { Policy } from '../../../agent/policy.js';
import type { CommandEnd, StepCommand, StepContext, Systemd } from '../../../agent/steps/step.js';
import { runStep } from '../../../agent/steps/index.js';
import type { Reason } from '../../../proto/gen/fraisier/v1/plan.js';
import { Phase, Step, Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { systemClock } from '../../../agent/clock.js';

/** What a step does, as far as a test says it. */
export type AnAction = Parameters<typeof Step.fromPartial>[0]['action'];

export interface Note {
  readonly code: string;
  readonly message: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** A host of one test: its folders, and what its steps noted and logged. */
export interface TestHost {
  readonly folder: string;
  readonly target: Target;
  readonly stateFolder: string;
  readonly notes: Note[];
  readonly log: string[];
  readonly commands: StepCommand[];
  /** A real command beside the steps' own, for a `command` that fails only some of them. */
  readonly real: StepContext['command'];
  readonly run: (action: AnAction, more?: Partial<StepContext>) => ReturnType<typeof runStep>;
}

export function aTarget(folder: string, more: Partial<Target> = {}): Target {
  return Target.fromPartial({
    fraise: 'checkout',
    environment: 'production',
    appPath: join(folder, 'app'),
    layout: 'LAYOUT_RELEASES',
    ...more,
  });
}

export function aPolicy(folder: string, more: Partial<Policy> = {}): Policy {
  return {
    file: join(folder, 'policy.yaml'),
    repositories: [],
    paths: [folder],
    units: [],
    unit_files: [],
    users: [],
    commands: [],
    ...more,
  };
}

/** Steps run with real processes below `folder`; `more` replaces parts of their context. */
export async function aHost(
  folder: string,
  target: Partial<Target> = {},
  more: Partial<StepContext> = {},
): Promise<TestHost> {
  const stateFolder = join(folder, 'state');
  await mkdir(join(stateFolder, 'runs'), { recursive: true });
  const host = {
    folder,
    target: aTarget(folder, target),
    stateFolder,
    notes: [] as Note[],
    log: [] as string[],
    commands: [] as StepCommand[],
  };
  let steps = 0;
  const run: TestHost['run'] = (action, changes = {}) => {
    const step = Step.fromPartial({ name: `s${++steps}`, timeoutMs: 60_000, repeatable: true, action });
    return runStep(step, contextOf(host, step, { ...more, ...changes }));
  };
  const real: TestHost['real'] = (command) =>
    runCommand(host, command, `r_1-real-${++steps}`, new AbortController().signal);
  return { ...host, run, real };
}

function contextOf(
  host: Omit<TestHost, 'run' | 'real'>,
  step: Step,
  more: Partial<StepContext>,
): StepContext {
  const signal = more.signal ?? new AbortController().signal;
  let asked = 0;
  return {
    runId: 'r_1',
    phase: Phase.PREPARE,
    target: host.target,
    commit: commitIn(step),
    step,
    attempt: 1,
    policy: aPolicy(host.folder),
    stateFolder: host.stateFolder,
    signal,
    command: (command) => {
      host.commands.push(command);
      return runCommand(host, command, `r_1-${step.name}-1-${++asked}`, signal);
    },
    note: async (code, message, facts = {}) => void host.notes.push({ code, message, facts }),
    log: async (line) => void host.log.push(line),
    now: () => new Date(),
    sleep: (ms, until) => systemClock.sleep(ms, until),
    systemd: null,
    ...more,
  };
}

function commitIn({ action }: Step): string {
  return action !== undefined && 'commit' in action.value ? action.value.commit : '';
}

const exec = childProcessExec();

async function runCommand(
  host: Omit<TestHost, 'run' | 'real'>,
  command: StepCommand,
  id: string,
  signal: AbortSignal,
): Promise<CommandEnd> {
  const folder = join(host.stateFolder, 'runs');
  const spec = {
    id,
    argv: command.argv,
    cwd: command.cwd ?? host.stateFolder,
    user: command.user ?? null,
    environment: command.environment ?? {},
    environmentFile: command.environmentFile ?? null,
    outputFile: join(folder, `${id}.log`),
    captureFile: command.capture === true ? join(folder, `${id}.out`) : null,
    folder,
    graceMs: 300,
  };
  if (signal.aborted) return { ended: 'stopped', reason: signal.reason as Reason };
  await exec.start(spec);
  const limit = command.limitMs === undefined ? signal : AbortSignal.timeout(command.limitMs);
  const end = await exec.wait(spec, AbortSignal.any([signal, limit])).catch(async () => {
    await exec.stop(spec);
    return null;
  });
  if (end === null) {
    const late = reason('timed_out', `no end within ${command.limitMs} ms`);
    return { ended: 'stopped', reason: signal.aborted ? (signal.reason as Reason) : late };
  }
  if (end.ended === 'absent') return { ended: 'unknown', reason: reason('outcome_unknown', 'gone') };
  if (end.ended !== 'exited') return end;
  const printed = spec.captureFile ?? (command.limitMs === undefined ? null : spec.outputFile);
  const output = printed === null ? '' : await readFile(printed, 'utf8');
  return spec.captureFile === null
    ? { ...end, output }
    : { ...end, output, errors: await readFile(spec.outputFile, 'utf8') };
}

/** systemd as far as steps see it, with units in memory. */
export function aSystemd(
  units: Record<string, Record<string, string>>,
  more: Partial<Systemd> = {},
): Systemd & { readonly asked: string[] } {
  const asked: string[] = [];
  const done = async (act: string, unit: string): Promise<CommandEnd> => {
    asked.push(`${act} ${unit}`);
    return { ended: 'exited', exitCode: 0, output: '' };
  };
  return {
    asked,
    show: async (unit, properties) =>
      Object.fromEntries(
        properties.map((property) => [
          property,
          units[unit]?.[property] ?? (property === 'LoadState' ? 'not-found' : ''),
        ]),
      ),
    restart: (unit, _, verb = 'restart') => done(verb, unit),
    stop: (unit) => done('stop', unit),
    start: (unit) => done('start', unit),
    enable: (unit) => done('enable', unit),
    disable: (unit) => done('disable', unit),
    resetFailed: (unit) => done('reset-failed', unit),
    daemonReload: () => done('daemon-reload', ''),
    unitFolder: '/nowhere',
    journalTail: async (unit) => `line of ${unit}\nlast words of ${unit}\n`,
    ...more,
  };
}
