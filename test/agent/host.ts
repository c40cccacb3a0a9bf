import { Outcome, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { reason } from '../../proto/error-codes.js';
import { pino } from 'pino';
import { systemDisk } from '../../agent/disk.js';
import { Lease } from '../../agent/lease.js';
import type { RunPorts } from '../../agent/run-ports.js';
import { Runs } from '../../agent/runs.js';
import type { CommandEnd, StepContext, StepEnd } from '../../agent/steps/step.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import { until } from '../support/until.js';
import { told } from './builders.js';
import { FakeExec } from './fake-exec.js';
import { ManualClock } from './manual-clock.js';

export const SILENT = pino({ level: 'silent' });

/** Ports of a host whose disk is real and whose commands, clock and lease are the test's. */
export interface TestHost extends RunPorts {
  readonly exec: FakeExec;
  readonly clock: ManualClock;
  readonly lease: Lease;
}

export function aHost(stateFolder: string, more: Partial<TestHost> = {}): TestHost {
  const clock = more.clock ?? new ManualClock();
  const lease = new Lease(clock);
  lease.renew(clock.uptimeMs(), 3_600_000);
  const policy = {
    file: 'policy.yaml',
    repositories: [],
    paths: [],
    units: [],
    unit_files: [],
    users: [],
    commands: [],
  };
  return {
    disk: systemDisk,
    clock,
    lease,
    exec: new FakeExec(),
    systemd: null,
    bootId: 'boot-1',
    stateFolder,
    graceMs: 1_000,
    runStep: plainStep,
    loadPolicy: () => Promise.resolve(policy),
    checkPolicy: () => Promise.resolve(null),
    liveRelease: () => Promise.resolve('live'),
    originOf: () => Promise.resolve(''),
    logger: SILENT,
    ...more,
  };
}

/** `command` and `migrate` are one command, everything else two. */
export async function plainStep(step: Step, context: StepContext): Promise<StepEnd> {
  const argvs =
    step.action?.$case === 'command' || step.action?.$case === 'migrate'
      ? [step.action.value.argv]
      : [['one'], ['two']];
  for (const argv of argvs) {
    await context.log(`$ ${argv.join(' ')}`);
    const end = await context.command({ argv });
    if (end.ended !== 'exited' || end.exitCode !== 0) return failedCommand(end);
  }
  return { outcome: Outcome.SUCCEEDED, result: { exitCode: 0 } };
}

function failedCommand(end: CommandEnd): StepEnd {
  if (end.ended === 'stopped') return { outcome: Outcome.CANCELLED, reason: end.reason };
  if (end.ended === 'unknown') return { outcome: Outcome.INTERRUPTED, reason: end.reason };
  const output = end.ended === 'exited' ? end.output : '';
  return { outcome: Outcome.FAILED, reason: reason('command_failed', output) };
}

/** Opens the runs of a host, hands them to the test, and leaves them at its end. */
export async function withRuns<T>(host: RunPorts, work: (runs: Runs) => Promise<T>): Promise<T> {
  const runs = new Runs(host);
  await runs.open();
  try {
    return await work(runs);
  } finally {
    await runs.leave();
  }
}

/** The events of a run once it is over. */
export async function finished(runs: Runs, runId = 'r_1'): Promise<readonly RunEvent[]> {
  await until(`run ${runId} to be over`, () => runs.get(runId)?.finished === true, { everyMs: 5 });
  return eventsOf(runs, runId);
}

export async function eventsOf(runs: Runs, runId = 'r_1'): Promise<readonly RunEvent[]> {
  return (await runs.get(runId)?.folder.journal.all()) ?? [];
}

/** Waits until the run has told this, in the short words of `told`. */
export async function hasTold(runs: Runs, word: string, runId = 'r_1'): Promise<void> {
  await until(
    `run ${runId} to tell "${word}"`,
    async () => told(await eventsOf(runs, runId)).includes(word),
    { everyMs: 5 },
  );
}
