import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { ErrorCode } from '../../proto/error-codes.js';
import type { Fetch } from '../../proto/gen/fraisier/v1/plan.js';
import { mustHaveRepository } from './checkout.js';
import { endOfCommand, endOfDiskError, succeeded } from './ends.js';
import { gitOf, mirrorFolder } from './git.js';
import { accessTo } from './git-access.js';
import { bringCommit } from './mirror.js';
import type { Brought, Wanted } from './mirror.js';
import { mayUseRepository, policyReason } from './policy-rules.js';
import { isInPlace } from './release-layout.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { bringSubmodules } from './submodules.js';

/** Brings the commit into the mirror, with as many attempts as the plan says; each further one is a note. */
export const fetch: RunStep<Fetch> = async (spec, context) => {
  try {
    const { commit, ref, filter } = spec;
    const repository = await addressOf(spec, context);
    const access = await accessTo(repository, context);
    const mirror = mirrorFolder(context.stateFolder, repository);
    return await attempts(spec, { mirror, repository, commit, ref, access, filter }, context);
  } catch (error) {
    return endOfDiskError(error, 'the mirror of the repository', 'fetch_failed');
  }
};

/** The `origin` of a checkout is looked up again, so it is judged again. */
async function addressOf(spec: Fetch, { target, policy }: StepContext): Promise<string> {
  const repository = await mustHaveRepository(target, spec.repository);
  const looked = spec.repository === '' && isInPlace(target);
  const refusal = looked ? mayUseRepository(policy, repository) : null;
  const refused = policyReason(policy, refusal === null ? [] : [refusal]);
  if (refused === null) return repository;
  throw new FraisierError(refused.code as ErrorCode, refused.message, refused);
}

async function attempts(spec: Fetch, wanted: Wanted, context: StepContext): Promise<StepEnd> {
  for (let attempt = 1; attempt < spec.attempts; attempt++) {
    const brought = await bring(spec, wanted, context);
    if (brought.is !== 'refused' || !brought.again) return endOf(brought);
    const facts = { attempt: String(attempt), of: String(spec.attempts), answer: brought.reason.message };
    await context.note('fetch_retry', `attempt ${attempt} of ${spec.attempts}: ${facts.answer}`, facts);
    await context.sleep(spec.delayMs, context.signal);
  }
  return endOf(await bring(spec, wanted, context));
}

async function bring(spec: Fetch, wanted: Wanted, context: StepContext): Promise<Brought> {
  const git = gitOf(context);
  const brought = await bringCommit(git, wanted);
  if (brought.is !== 'there' || !spec.submodules) return brought;
  const { policy, stateFolder } = context;
  return bringSubmodules({ git, policy, stateFolder, filter: spec.filter }, wanted);
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
