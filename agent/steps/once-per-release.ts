import { createHash } from 'node:crypto';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Command } from '../../proto/gen/fraisier/v1/plan.js';
import { succeeded } from './ends.js';
import { placeOf } from './place.js';
import { isInPlace, readReleaseMark, writeReleaseMark } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/**
 * Does `work`, unless this step succeeded with this very command in this release before. Run for another reason it is
 * first forgotten that it did, so that what breaks off half-way is done again by the next deployment. What was forced
 * counts as done too: who goes back to this release installs nothing.
 */
export async function oncePerRelease(
  spec: Command,
  context: StepContext,
  work: () => Promise<StepEnd>,
): Promise<StepEnd> {
  const before = await doneBefore(spec, context);
  const digest = digestOf(spec, context);
  if (spec.oncePerRelease && before === digest) {
    await context.log('not run again: it succeeded in this release before');
    return succeeded({ summary: 'not run again: it succeeded in this release before' });
  }
  if (before !== undefined) await remember(spec, context, undefined);
  const end = await work();
  if ((before !== undefined || counts(spec, context)) && end.outcome === Outcome.SUCCEEDED)
    await remember(spec, context, digest);
  return end;
}

/** In place, install at `app_path` says nothing of the worktree in which the next `prepare` installs. */
function counts({ oncePerRelease: once, hook }: Command, { target }: StepContext): boolean {
  return once || (hook === '' && !isInPlace(target));
}

async function doneBefore({ commit }: Command, context: StepContext): Promise<string | undefined> {
  if (commit === '') return undefined;
  return (await readReleaseMark(placeOf(context), commit))?.done?.[context.step.name];
}

/** A release without a mark was never staged to its end: nothing is worth remembering of it. */
async function remember(
  { commit }: Command,
  context: StepContext,
  digest: string | undefined,
): Promise<void> {
  const place = placeOf(context);
  const mark = await readReleaseMark(place, commit);
  if (mark === null) return;
  const others = Object.entries(mark.done ?? {}).filter(([name]) => name !== context.step.name);
  const own = digest === undefined ? [] : [[context.step.name, digest] as const];
  await writeReleaseMark(place, { ...mark, done: Object.fromEntries([...others, ...own]) });
}

/** Everything that makes the command what it is, but for the contents of the host's environment file. */
function digestOf({ argv, shell, user, environment }: Command, { target }: StepContext): string {
  const who = user === '' ? target.user : user;
  const variables = Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([argv, shell, who, variables]))
    .digest('hex');
}
