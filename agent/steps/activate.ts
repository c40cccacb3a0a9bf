import { rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import type { Activate } from '../../proto/gen/fraisier/v1/plan.js';
import { activateInPlace } from './activate-in-place.js';
import { endOfDiskError, failed, succeeded } from './ends.js';
import {
  isFolder,
  isInPlace,
  kindOfCurrent,
  layoutOf,
  liveRelease,
  readReleaseMark,
  releaseFolder,
  syncFolder,
  writeReleaseMark,
} from './release-layout.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { takeProofBack } from './take-proof-back.js';

/**
 * Makes the release live: `current` is swapped by rename(2), so it always points to one whole release. With the layout
 * in_place the commit is checked out at `app_path`.
 */
export const activate: RunStep<Activate> = async ({ commit }, context) => {
  try {
    return isInPlace(context.target) ? await activateInPlace(commit, context) : await swap(commit, context);
  } catch (error) {
    return endOfDiskError(error, 'activating the release', 'activate_failed');
  }
};

async function swap(commit: string, context: StepContext): Promise<StepEnd> {
  const { app, current } = layoutOf(context.target);
  const mark = await readReleaseMark(context.target, commit);
  if (mark === null || !(await isFolder(releaseFolder(context.target, commit)))) {
    return failed('activate_failed', `the release ${commit} is not staged below ${app}`, {
      hint: 'deploy it again',
    });
  }
  if ((await kindOfCurrent(context.target)) === 'other') {
    return failed(
      'activate_failed',
      `${current} is not a link: Fraisier does not replace what it did not make`,
      {
        hint: `move it away: mv ${current} ${current}.before-fraisier`,
      },
    );
  }
  const live = await liveRelease(context.target);
  if (live === commit) return succeeded({ summary: 'live already' });
  // Before the swap: what was live is known then, whatever happens in between.
  const previous = live === '' ? null : live;
  const { provenGoodAt } = mark;
  const activated = {
    ...{ ...mark, activatedAt: context.now().toISOString(), previous },
    ...(provenGoodAt === null ? {} : { provenBefore: provenGoodAt }),
  };
  // Going back needs no room on the disk, which may be why: what was live before has its mark.
  const hasMark = context.phase === Phase.UNDO && mark.activatedAt !== null;
  if (!hasMark) await writeReleaseMark(context.target, activated);
  if (context.phase === Phase.UNDO) await takeProofBack(commit, context);
  const beside = join(app, '.current.new');
  await rm(beside, { force: true });
  await symlink(`releases/${commit}`, beside);
  await rename(beside, current);
  await syncFolder(app);
  return succeeded({ summary: live === '' ? 'the first release' : `instead of ${live}` });
}
