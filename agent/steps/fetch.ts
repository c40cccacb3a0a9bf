import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Fetch } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, endOfDiskError, succeeded } from './ends.js';
import { gitOf, mirrorFolder } from './git.js';
import { bringCommit } from './mirror.js';
import type { Brought } from './mirror.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

/** Brings the commit into the mirror, with as many attempts as the plan says; each further one is a note. */
export const fetch: RunStep<Fetch> = async (spec, context) => {
  try {
    return await attempts(spec, context);
  } catch (error) {
    return endOfDiskError(error, 'the mirror of the repository', 'fetch_failed');
  }
};

async function attempts(spec: Fetch, context: StepContext): Promise<StepEnd> {
  const { repository, commit, ref } = spec;
  const wanted = { mirror: mirrorFolder(context.stateFolder, repository), repository, commit, ref };
  for (let attempt = 1; attempt < spec.attempts; attempt++) {
    const brought = await bringCommit(gitOf(context), wanted);
    if (brought.is !== 'refused' || !brought.again) return endOf(brought);
    const facts = { attempt: String(attempt), of: String(spec.attempts), answer: brought.reason.message };
    await context.note('fetch_retry', `attempt ${attempt} of ${spec.attempts}: ${facts.answer}`, facts);
    await context.sleep(spec.delayMs, context.signal);
  }
  return endOf(await bringCommit(gitOf(context), wanted));
}

function endOf(brought: Brought): StepEnd {
  switch (brought.is) {
    case 'there':
      return succeeded();
    case 'refused':
      return { outcome: Outcome.FAILED, reason: brought.reason };
    case 'broken_off':
      return endOfCommand(brought.end, 'git fetch', 'fetch_failed');
  }
}
