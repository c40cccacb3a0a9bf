import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Assignment, type Outcome, type RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { Direction, Layout, Phase, Step } from '../../proto/gen/fraisier/v1/plan.js';

export const COMMIT = 'c0ffee'.padEnd(40, '0');

/** A folder below the temporary one, removed again. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-agent-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A repeatable step of one command. */
export function aCommand(name: string, argv: readonly string[] = ['true'], more: Partial<Step> = {}): Step {
  const value = { argv: [...argv], shell: '', user: '', commit: COMMIT };
  return Step.fromPartial({
    name,
    timeoutMs: 20_000,
    repeatable: true,
    action: { $case: 'command', value },
    ...more,
  });
}

/** Never repeatable. */
export function aMigration(name = 'migrate', argv: readonly string[] = ['true']): Step {
  const value = { direction: Direction.UP, argv: [...argv], user: '', commit: COMMIT, environment: {} };
  return Step.fromPartial({ name, timeoutMs: 20_000, action: { $case: 'migrate', value } });
}

/** Repeatable, and of several commands as far as recovery is concerned. */
export function aStage(name = 'stage'): Step {
  const action = { $case: 'stage', value: { commit: COMMIT } } as const;
  return Step.fromPartial({ name, timeoutMs: 20_000, repeatable: true, action });
}

export function anAssignment(steps: readonly Step[], more: Partial<Assignment> = {}): Assignment {
  const target = { fraise: 'shop', environment: 'production', appPath: '/srv/shop', layout: Layout.RELEASES };
  const assignment = Assignment.fromPartial({
    runId: 'r_1',
    deploymentId: 'd_1',
    phase: Phase.PREPARE,
    attempt: 1,
    target,
    epoch: 1,
    commit: COMMIT,
    validForMs: 30_000,
  });
  return { ...assignment, steps: [...steps], ...more };
}

/** Events as short words, for comparison: `+stage#1`, `-stage#1 succeeded`, `.stage#1 adopted`, `run failed`. */
export function told(events: readonly RunEvent[]): readonly string[] {
  return events.map(({ event }) => {
    switch (event?.$case) {
      case 'runStarted':
        return 'run started';
      case 'stepStarted':
        return `+${event.value.step}#${event.value.attempt}`;
      case 'stepNote':
        return `.${event.value.step}#${event.value.attempt} ${event.value.code}`;
      case 'stepFinished':
        return `-${event.value.step}#${event.value.attempt} ${ended(event.value)}`;
      case 'runFinished':
        return `run ${ended(event.value)}`;
      case undefined:
        return '?';
    }
  });
}

function ended({ outcome, reason }: { outcome: Outcome; reason: { code: string } | undefined }): string {
  const word = outcome.replace('OUTCOME_', '').toLowerCase();
  return reason === undefined ? word : `${word}: ${reason.code}`;
}
