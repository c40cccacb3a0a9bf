import { runToStage } from './run-to-stage.js';
import type { StepContext, StepEnd } from './step.js';

/** Makes a path and all below it (no link followed) the user's as whom the code runs. Null when it went well. */
export async function giveAll(path: string, context: StepContext): Promise<StepEnd | null> {
  const { user } = context.target;
  if (user === '') return null;
  return runToStage(['chown', '-R', '-h', '--', `${user}:`, path], `giving the release to ${user}`, context);
}
