import type { Deployment, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import { Outcome, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { Phase, type Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { Ansis } from 'ansis';
import type { Look } from '../../cli/look.js';

export const SHA = '3f2c1ab9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f';
export const OLD_SHA = '9a1b2c3d4e5f60718293a4b5c6d7e8f901234567';
export const NOW = new Date('2026-11-23T12:00:00.000Z');

/** A plain look: no colours, no width, noon. */
export const PLAIN: Look = { ink: new Ansis(0), now: NOW, columns: Number.POSITIVE_INFINITY };

/** The time this many seconds after noon. */
export function at(seconds: number): Date {
  return new Date(NOW.getTime() + seconds * 1000);
}

export const UNHEALTHY: Reason = reason('health_check_failed', 'web-1 answered 503 ten times', {
  facts: { host: 'web-1', answer: '503' },
});

/** A deployment that succeeded on two hosts, changed as wanted. */
export function aDeployment(changes: Partial<Deployment> = {}): Deployment {
  return {
    id: 'd_1',
    fraise: 'checkout',
    environment: 'production',
    kind: 'deploy',
    status: 'succeeded',
    commit: SHA,
    ref: 'main',
    oldVersion: OLD_SHA,
    newVersion: SHA,
    reason: undefined,
    trigger: 'cli',
    requestedBy: 'ann',
    webhookId: '',
    createdAt: at(-60),
    startedAt: at(-58),
    finishedAt: at(-45.7),
    durationMs: 12_300,
    hosts: [],
    configRevision: 3,
    warnings: [],
    ...changes,
  };
}

/** A deployment that health checks stopped on its only host. */
export function aFailedDeployment(changes: Partial<Deployment> = {}): Deployment {
  return aDeployment({
    status: 'failed',
    reason: UNHEALTHY,
    hosts: [
      {
        host: 'web-1',
        phase: 'release',
        status: 'failed',
        oldVersion: OLD_SHA,
        newVersion: SHA,
        reason: UNHEALTHY,
        lateReports: ['the unit is active after all'],
        steps: [
          {
            phase: 'prepare',
            name: 'fetch',
            status: 'succeeded',
            attempts: 2,
            durationMs: 400,
            reason: undefined,
          },
          {
            phase: 'release',
            name: 'health',
            status: 'failed',
            attempts: 1,
            durationMs: 90_000,
            reason: UNHEALTHY,
          },
          {
            phase: 'release',
            name: 'hooks',
            status: 'skipped',
            attempts: 0,
            durationMs: undefined,
            reason: undefined,
          },
        ],
      },
    ],
    ...changes,
  });
}

/** What a watcher hears when the deployment itself changed. */
export function changed(number: number, deployment: Partial<Deployment>): WatchEvent {
  return { number, at: at(number), event: { $case: 'deployment', value: aDeployment(deployment) } };
}

/** What a watcher hears of one run. */
export function heard(
  number: number,
  host: string,
  event: RunEvent['event'],
  phase: Phase = Phase.RELEASE,
): WatchEvent {
  const run: RunEvent = { runId: `r_${host}_${phase}`, seq: number, at: at(number), event };
  return { number, at: at(number), event: { $case: 'host', value: { host, phase, event: run } } };
}

export const runStarted: RunEvent['event'] = { $case: 'runStarted', value: { bootId: 'b' } };

export function stepStarted(step: string, attempt = 1): RunEvent['event'] {
  return { $case: 'stepStarted', value: { step, attempt, bootId: 'b' } };
}

export function stepNote(step: string, message: string): RunEvent['event'] {
  return {
    $case: 'stepNote',
    value: { step, attempt: 1, code: 'health_attempt', message, facts: { attempt: '1' } },
  };
}

export function stepFinished(step: string, durationMs: number, why?: Reason): RunEvent['event'] {
  const outcome = why === undefined ? Outcome.SUCCEEDED : Outcome.FAILED;
  const value = {
    step,
    attempt: 1,
    outcome,
    reason: why,
    durationMs,
    result: undefined,
    logBytes: 0,
    logTruncated: false,
  };
  return { $case: 'stepFinished', value };
}

export function runFinished(why?: Reason): RunEvent['event'] {
  const outcome = why === undefined ? Outcome.SUCCEEDED : Outcome.FAILED;
  return { $case: 'runFinished', value: { outcome, reason: why, liveRelease: SHA, origin: '' } };
}
