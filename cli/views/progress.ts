import type { Deployment, HostEvent, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import type { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { enumWord } from '../json.js';

/** What a live view knows of a deployment: the fold of its events. */
export interface Progress {
  readonly deployment: Deployment | undefined;
  readonly hosts: readonly HostProgress[];
}

export interface HostProgress {
  readonly host: string;
  /** In the order in which they began; a phase that runs again begins anew. */
  readonly phases: readonly PhaseProgress[];
}

export interface PhaseProgress {
  readonly phase: string;
  readonly runId: string;
  readonly status: string;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly why: string;
  readonly steps: readonly StepProgress[];
}

export interface StepProgress {
  readonly name: string;
  readonly status: string;
  readonly startedAt: Date | undefined;
  readonly durationMs: number | undefined;
  /** The latest thing said about it: a health attempt, a repeated fetch, the reason of its end. */
  readonly note: string;
}

export const NO_PROGRESS: Progress = { deployment: undefined, hosts: [] };

/** The progress after one more event. An event seen before changes nothing. */
export function withEvent(progress: Progress, { event }: WatchEvent): Progress {
  if (event === undefined) return progress;
  if (event.$case === 'deployment') return { ...progress, deployment: event.value };
  return { ...progress, hosts: withHostEvent(progress.hosts, event.value) };
}

function withHostEvent(
  hosts: readonly HostProgress[],
  { host, phase, event }: HostEvent,
): readonly HostProgress[] {
  if (event?.event === undefined) return hosts;
  return replaced(
    hosts,
    (known) => known.host === host,
    { host, phases: [] },
    (known) => ({
      ...known,
      phases: replaced(
        known.phases,
        (one) => one.runId === event.runId,
        newPhase(enumWord(phase), event),
        (one) => withRunEvent(one, event),
      ),
    }),
  );
}

function newPhase(phase: string, { runId, at }: RunEvent): PhaseProgress {
  return { phase, runId, status: 'running', startedAt: at, finishedAt: undefined, why: '', steps: [] };
}

function withRunEvent(phase: PhaseProgress, { at, event }: RunEvent): PhaseProgress {
  switch (event?.$case) {
    case 'stepStarted':
      return withStep(phase, event.value.step, (step) => ({
        ...step,
        status: 'running',
        startedAt: at,
        durationMs: undefined,
        note: '',
      }));
    case 'stepNote':
      return withStep(phase, event.value.step, (step) => ({ ...step, note: event.value.message }));
    case 'stepFinished':
      return withStep(phase, event.value.step, (step) => ({
        ...step,
        status: enumWord(event.value.outcome),
        durationMs: event.value.durationMs,
        note: event.value.reason?.message ?? event.value.result?.summary ?? '',
      }));
    case 'runFinished': {
      const { outcome, reason } = event.value;
      return { ...phase, status: enumWord(outcome), finishedAt: at, why: reason?.message ?? '' };
    }
    case 'runStarted':
    case undefined:
      return phase;
  }
}

function withStep(
  phase: PhaseProgress,
  name: string,
  change: (step: StepProgress) => StepProgress,
): PhaseProgress {
  const fresh: StepProgress = {
    name,
    status: 'running',
    startedAt: undefined,
    durationMs: undefined,
    note: '',
  };
  return { ...phase, steps: replaced(phase.steps, (step) => step.name === name, fresh, change) };
}

/** The list with the one that fits changed; with the changed newcomer at its end when none fits. */
function replaced<T>(
  list: readonly T[],
  fits: (item: T) => boolean,
  newcomer: T,
  change: (item: T) => T,
): readonly T[] {
  if (!list.some(fits)) return [...list, change(newcomer)];
  return list.map((item) => (fits(item) ? change(item) : item));
}
