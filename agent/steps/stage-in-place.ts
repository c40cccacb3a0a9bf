import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ownUser } from '../exec/users.js';
import { headOf } from './checkout.js';
import { overwriteProblem } from './dirty-tree.js';
import { endOfCommand } from './ends.js';
import { problemHere, runHere } from './git-in-checkout.js';
import { gitOf, gitRead, isOk } from './git.js';
import { giveTo } from './give-to.js';
import { hasCommit } from './mirror.js';
import { placeOf } from './place.js';
import { layoutOf } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/**
 * Brings the objects of the commit from the mirror into the repository of the checkout, under `refs/fraisier/<commit>`;
 * nothing that is checked out changes. Then looks whether the commit would replace files that are not tracked.
 */
export async function bringToCheckout(
  mirror: string,
  commit: string,
  context: StepContext,
): Promise<StepEnd | null> {
  const there = isOk(await runHere(context, ['cat-file', '-e', `${commit}^{commit}`]));
  return (
    (there ? await named(commit, context) : await handOver(mirror, commit, context)) ??
    (await overwriteProblem(commit, context))
  );
}

async function named(commit: string, context: StepContext): Promise<StepEnd | null> {
  const end = await runHere(context, ['update-ref', `refs/fraisier/${commit}`, commit]);
  return problemHere(end, 'the commit could not be named in the checkout', 'stage_failed');
}

/** By a bundle: the mirror is the agent's alone, and git in the checkout is its user's. */
async function handOver(mirror: string, commit: string, context: StepContext): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  const bundle = join(placeOf(context).appPath, `${commit}.bundle`);
  const name = `refs/fraisier/${commit}`;
  try {
    const head = await headOf(app);
    const git = gitOf(context);
    const known = head !== '' && (await hasCommit(git, mirror, head)) ? [`^${head}`] : [];
    const packed = await git(
      gitRead(mirror, ['bundle', 'create', '--quiet', bundle, name, ...known], { offline: true }),
    );
    if (!isOk(packed)) return endOfCommand(packed, 'git bundle', 'stage_failed');
    await giveTo(context.target.user, bundle);
    const how = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--no-recurse-submodules'];
    const end = await runHere(context, ['fetch', ...how, '--', bundle, `+${name}:${name}`]);
    return problemHere(end, `the commit could not be brought into the checkout ${app}`, 'stage_failed');
  } finally {
    await rm(bundle, { force: true });
  }
}

/**
 * Lets another user pass through the agent's state folder to what is staged there for it. Nothing else in it is readable
 * by others: its folders and files are the agent's own (0700, 0600).
 */
export async function openTheWay(context: StepContext): Promise<void> {
  const { user } = context.target;
  if (user === '' || user === ownUser().name) return;
  const { app, releases } = layoutOf(placeOf(context));
  for (const folder of [context.stateFolder, join(app, '..'), app, releases]) await chmod(folder, 0o711);
}
