import type { AwaitIdle } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, failed, succeeded } from './ends.js';
import { findRunning } from './find-running.js';
import type { Running } from './find-running.js';
import { isOk } from './git.js';
import { liveCommit } from './place.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

const PAUSE_MS = 1_000;
/** From SIGTERM to SIGKILL, and how long that may take to show. */
const GRACE_MS = 10_000;
const KILLED_MS = 5_000;

/** Waits until nothing of the fraise is at work; past the limit it fails, goes on beside it, or stops what runs. */
export const awaitIdle: RunStep<AwaitIdle> = async (spec, context) => {
  if (spec.commit !== '' && (await liveCommit(context)) === spec.commit)
    return succeeded({ summary: 'live already: nothing to wait for' });
  const left = await waitUntilIdle(spec, spec.limitMs, context, 'waiting');
  if (left.length === 0) return succeeded({ summary: 'nothing is at work' });
  switch (spec.pastLimit) {
    case 'continue':
      return goOn(left, context);
    case 'stop':
      return stopAll(left, spec, context);
    default:
      return stillRunning(left, `after ${seconds(spec.limitMs)}`);
  }
};

/** What is at work when it ended: nothing, or what outlasted the limit. Each change is a note. */
async function waitUntilIdle(
  spec: AwaitIdle,
  limitMs: number,
  context: StepContext,
  code: string,
): Promise<readonly Running[]> {
  const until = context.now().getTime() + limitMs;
  let said = '';
  for (;;) {
    const running = await findRunning(context.target, spec, context);
    const leftMs = until - context.now().getTime();
    if (running.length === 0 || leftMs <= 0) return running;
    const now = running.map(describe).join(', ');
    if (now !== said)
      await context.note(code, `waiting up to ${seconds(leftMs)} for ${now}`, factsOf(running));
    said = now;
    await context.sleep(Math.min(PAUSE_MS, leftMs), context.signal);
  }
}

async function goOn(running: readonly Running[], context: StepContext): Promise<StepEnd> {
  const beside = `going on beside ${running.map(describe).join(', ')}`;
  await context.note('went_on', beside, factsOf(running));
  return succeeded({ summary: beside });
}

async function stopAll(running: readonly Running[], spec: AwaitIdle, context: StepContext): Promise<StepEnd> {
  await context.note('stopping', `stopping ${running.map(describe).join(', ')}`, factsOf(running));
  const { systemd, signal } = context;
  const stops = systemd === null ? [] : unitsOf(running).map((unit) => () => systemd.stop(unit, signal));
  for (const stop of stops) {
    const end = await stop();
    if (!isOk(end)) return endOfCommand(end, `stopping ${unitsOf(running).join(', ')}`, 'still_running');
  }
  signalProcesses(running, 'SIGTERM');
  const stubborn = await waitUntilIdle(spec, GRACE_MS, context, 'waiting');
  signalProcesses(stubborn, 'SIGKILL');
  const left = stubborn.length === 0 ? [] : await waitUntilIdle(spec, KILLED_MS, context, 'waiting');
  return left.length === 0
    ? succeeded({ summary: `stopped ${running.map(({ what }) => what).join(', ')}` })
    : stillRunning(left, 'although it was stopped');
}

function unitsOf(running: readonly Running[]): readonly string[] {
  return running.map(({ unit }) => unit).filter((unit) => unit !== '');
}

/** Only those that are there themselves: a unit's are systemd's. */
function signalProcesses(running: readonly Running[], signal: NodeJS.Signals): void {
  for (const { pid } of running.filter((one) => one.unit === '')) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone, or another user's: both are seen by looking again.
    }
  }
}

function stillRunning(running: readonly Running[], when: string): StepEnd {
  return failed('still_running', `still at work ${when}: ${running.map(describe).join(', ')}`, {
    hint: 'deploy again when it has ended, or say in the configuration: while_running: { then: continue }, or stop',
    facts: factsOf(running),
  });
}

function describe({ what, since }: Running): string {
  return `${what}, since ${since.toISOString().slice(0, 19)}Z`;
}

function factsOf(running: readonly Running[]): Record<string, string> {
  return {
    units: unitsOf(running).join(' '),
    pids: running.flatMap(({ pid }) => (pid === 0 ? [] : [String(pid)])).join(' '),
    since: running.map(({ since }) => since.toISOString()).join(' '),
  };
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
