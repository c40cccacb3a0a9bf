import { endOfCommand, failed, saidBy } from './ends.js';
import type { StepContext, StepEnd } from './step.js';

/** Runs one of the host's own programs for a release that is being staged. Null when it went well. */
export async function runToStage(
  argv: readonly string[],
  what: string,
  context: StepContext,
): Promise<StepEnd | null> {
  const end = await context.command({ argv, capture: true });
  if (end.ended !== 'exited') return endOfCommand(end, what, 'stage_failed');
  return end.exitCode === 0 ? null : failed('stage_failed', `${what}: ${saidBy(end).trim()}`);
}
