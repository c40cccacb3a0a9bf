import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import { forgetCheckout, noteCheckout, readBrokenOff } from './broken-checkout.js';
import { headOf } from './checkout.js';
import { dirtyProblem } from './dirty-tree.js';
import { endOfCommand, failed, saidBy, succeeded } from './ends.js';
import { problemHere, runHere } from './git-in-checkout.js';
import { isOk, outputOf } from './git.js';
import { keepInTheWay } from './keep-in-the-way.js';
import { clearIndexLock } from './index-lock.js';
import { placeOf } from './place.js';
import {
  isCommit,
  layoutOf,
  liveRelease,
  readReleaseMark,
  syncFolder,
  writeReleaseMark,
} from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/**
 * Checks exactly this commit out at `app_path`, detached: no branch of the checkout is moved, and what was checked out
 * stays reachable by `refs/fraisier/before/<commit>`. On the way forward a tree that was changed is refused. On the way
 * back, or after a checkout that was broken off, what lies there is first kept: changes of tracked files as
 * `refs/fraisier/left/<run>-<attempt>`, files of no commit by `keepInTheWay`.
 */
export async function activateInPlace(commit: string, context: StepContext): Promise<StepEnd> {
  const { app } = layoutOf(context.target);
  if (!isCommit(commit)) return failed('activate_failed', `"${commit}" is not a full commit`);
  const locked = await clearIndexLock(context);
  if (locked !== null) return locked;
  const before = await headOf(app);
  const brokenOff = await readBrokenOff(context);
  const forced = context.phase === Phase.UNDO || brokenOff !== null;
  const problem =
    (await commitProblem(commit, context)) ??
    (forced ? await keepChanges(context) : await dirtyProblem(context)) ??
    // What a checkout of this very commit left is ours: the first attempt looked for what was not.
    (forced && brokenOff !== commit ? await keepInTheWay(before, commit, context) : null) ??
    (await keepCommit(before, commit, context));
  if (problem !== null) return problem;
  if (before === commit && !forced && (await liveRelease(placeOf(context))) === commit)
    return succeeded({ summary: 'live already' });
  return (await checkOut(commit, forced, context)) ?? (await madeLive(commit, before, context));
}

async function commitProblem(commit: string, context: StepContext): Promise<StepEnd | null> {
  const end = await runHere(context, ['cat-file', '-e', `${commit}^{commit}`]);
  if (isOk(end)) return null;
  if (end.ended !== 'exited') return endOfCommand(end, 'git cat-file', 'activate_failed');
  const { app } = layoutOf(context.target);
  return failed('activate_failed', `the commit ${commit} is not in the checkout ${app}`, {
    hint: 'deploy it again',
  });
}

/** Changes of tracked files. What git cannot keep, such as half a merge, is said in the log: going back comes first. */
async function keepChanges(context: StepContext): Promise<StepEnd | null> {
  const end = await runHere(context, ['stash', 'create', `left in the tree before ${context.runId}`]);
  if (end.ended !== 'exited') return endOfCommand(end, 'git stash', 'activate_failed');
  const kept = outputOf(end).trim();
  if (!isCommit(kept)) return null;
  // A repeat must not put what it finds half replaced in the place of what was there.
  const name = `refs/fraisier/left/${context.runId}-${context.attempt}`;
  await context.log(`what was changed in the tree is kept as ${name}`);
  return problemHere(
    await runHere(context, ['update-ref', name, kept]),
    `${name} could not be written`,
    'activate_failed',
  );
}

async function keepCommit(before: string, commit: string, context: StepContext): Promise<StepEnd | null> {
  if (before === '' || before === commit) return null;
  const name = `refs/fraisier/before/${before}`;
  return problemHere(
    await runHere(context, ['update-ref', name, before]),
    `${name} could not be written`,
    'activate_failed',
  );
}

async function checkOut(commit: string, forced: boolean, context: StepContext): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  await noteCheckout(context, commit);
  const how = ['--quiet', '--detach', '--no-recurse-submodules', ...(forced ? ['--force'] : [])];
  const end = await runHere(context, ['checkout', ...how, commit, '--']);
  // Refused as a whole: nothing was begun that had to be put in order.
  if (/would be overwritten|would lose untracked|^Aborting$/m.test(saidBy(end)))
    await forgetCheckout(context);
  const what = `the checkout ${app} could not be brought to ${commit}`;
  return problemHere(end, what, 'activate_failed') ?? syncProblem(app, context);
}

async function syncProblem(app: string, context: StepContext): Promise<StepEnd | null> {
  const end = await context.command({ argv: ['sync', '-f', app], capture: true });
  return isOk(end) ? null : endOfCommand(end, 'writing the checkout to disk', 'activate_failed');
}

/** The record of it: beside the link, what was live before. */
async function madeLive(commit: string, before: string, context: StepContext): Promise<StepEnd> {
  const place = placeOf(context);
  const { app, releases, current } = layoutOf(place);
  await mkdir(releases, { recursive: true, mode: 0o711 });
  const now = context.now().toISOString();
  const mark = (await readReleaseMark(place, commit)) ?? { commit, stagedAt: now, provenGoodAt: null };
  const previous = before === '' || before === commit ? null : before;
  await writeReleaseMark(place, { ...mark, activatedAt: now, previous });
  const beside = join(app, '.current.new');
  await rm(beside, { force: true });
  await symlink(`releases/${commit}`, beside);
  await rename(beside, current);
  await syncFolder(app);
  await forgetCheckout(context);
  return succeeded({ summary: previous === null ? 'checked out' : `instead of ${previous}` });
}
