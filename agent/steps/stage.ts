import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Stage, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { mustHaveRepository } from './checkout.js';
import { endOfCommand, endOfDiskError, failed, succeeded } from './ends.js';
import { giveAll } from './give-all.js';
import { gitOf, gitRead, mirrorFolder } from './git.js';
import { placeOf, workFolder } from './place.js';
import { linkShared } from './shared-paths.js';
import {
  isFolder,
  isInPlace,
  isStaged,
  layoutOf,
  liveRelease,
  readReleaseMark,
  releaseFolder,
  syncFolder,
  writeReleaseMark,
} from './release-layout.js';
import { runToStage } from './run-to-stage.js';
import { bringToCheckout, openTheWay } from './stage-in-place.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { placesOfSubmodules } from './submodules.js';
import type { AtCommit } from './submodules.js';
import { releasesNotTrusted } from './trusted-releases.js';

/**
 * Writes the tree of the commit, with its submodules if wanted, to `releases/<commit>`: beside it first, then by
 * rename(2), so that it is there whole or not at all. One that is there whole is used as it is. For a checkout that is
 * deployed in place the tree is in the state folder, and the commit is brought into the checkout's repository as well.
 */
export const stage: RunStep<Stage> = async (spec, context) => {
  try {
    const { repository, mirror } = await originOfCode(context);
    const staged = await stageTree(spec, { repository, mirror, commit: spec.commit }, context);
    if (staged.outcome !== Outcome.SUCCEEDED || !isInPlace(context.target)) return staged;
    await openTheWay(context);
    return (await bringToCheckout(mirror, spec.commit, context)) ?? staged;
  } catch (error) {
    return endOfDiskError(error, 'staging the release', 'stage_failed');
  }
};

async function originOfCode(context: StepContext): Promise<Pick<AtCommit, 'repository' | 'mirror'>> {
  const repository = await mustHaveRepository(context.target);
  return { repository, mirror: mirrorFolder(context.stateFolder, repository) };
}

async function stageTree(spec: Stage, of: AtCommit, context: StepContext): Promise<StepEnd> {
  const release = releaseFolder(placeOf(context), spec.commit);
  if (await isStaged(placeOf(context), spec.commit)) {
    await context.log(`${release} is there already`);
    return (
      (await rootProblem(release, spec.commit, context.target)) ?? succeeded({ summary: 'already staged' })
    );
  }
  return (
    (await releasesNotTrusted(layoutOf(placeOf(context)).releases, 'stage_failed')) ??
    (await clearAway(spec.commit, context)) ??
    (await writeRelease(spec, of, release, context))
  );
}

/** What killed attempts left behind. A folder without its mark is one, too, unless it is live. */
async function clearAway(commit: string, context: StepContext): Promise<StepEnd | null> {
  const place = placeOf(context);
  const { releases } = layoutOf(place);
  await mkdir(releases, { recursive: true, mode: 0o755 });
  const left = (await readdir(releases)).filter((name) => name.startsWith(`${commit}.staging`));
  if (await isFolder(releaseFolder(place, commit))) {
    const inUse = !isInPlace(context.target) && (await liveRelease(place)) === commit;
    if (inUse) return marked(commit, context, 'live already');
    left.push(commit);
  }
  if (left.length === 0) return null;
  return runToStage(
    ['rm', '-rf', '--', ...left.map((name) => join(releases, name))],
    'clearing away a broken release',
    context,
  );
}

async function writeRelease(
  { commit, submodules }: Stage,
  of: AtCommit,
  release: string,
  context: StepContext,
): Promise<StepEnd> {
  const suffix = `${context.runId}-${context.attempt}`.replace(/[^A-Za-z0-9._-]/g, '_');
  const staging = `${release}.staging-${suffix}`;
  await mkdir(staging, { mode: 0o755 });
  const shared = isInPlace(context.target) ? null : workFolder(staging, context.target);
  const problem =
    (await checkout(of, staging, `${staging}.index`, context)) ??
    (submodules ? await checkoutSubmodules(of, staging, context) : null) ??
    (await rootProblem(staging, commit, context.target)) ??
    (shared === null ? null : await linkShared(shared, context)) ??
    (await giveAll(staging, context)) ??
    (await runToStage(['sync', '-f', staging], 'writing the release to disk', context));
  if (problem !== null) return problem;
  await rename(staging, release);
  await syncFolder(layoutOf(placeOf(context)).releases);
  return marked(commit, context, 'staged');
}

/** What was known of it before, such as that it was good, stays known. */
async function marked(commit: string, context: StepContext, summary: string): Promise<StepEnd> {
  const stagedAt = context.now().toISOString();
  const place = placeOf(context);
  const before = isInPlace(context.target) ? await readReleaseMark(place, commit) : null;
  const { activatedAt = null, provenGoodAt = null, previous = null } = before ?? {};
  await writeReleaseMark(place, { commit, stagedAt, activatedAt, provenGoodAt, previous });
  return succeeded({ summary });
}

/** Through an index of its own, so that the mirror stays as it is. What is not there is not fetched: `fetch` is over. */
async function checkout(
  of: AtCommit,
  tree: string,
  index: string,
  context: StepContext,
): Promise<StepEnd | null> {
  const args = [`--work-tree=${tree}`, 'read-tree', '-u', '--reset', of.commit];
  const use = { environment: { GIT_INDEX_FILE: index }, offline: true };
  const end = await gitOf(context)(gitRead(of.mirror, args, use));
  if (end.ended !== 'exited' || end.exitCode !== 0) return endOfCommand(end, 'git', 'stage_failed');
  await rm(index, { force: true });
  return null;
}

async function checkoutSubmodules(of: AtCommit, tree: string, context: StepContext): Promise<StepEnd | null> {
  const places = await placesOfSubmodules(gitOf(context), of, tree, context.stateFolder);
  for (const place of places) {
    const problem = await checkout(place, place.folder, `${tree}.index`, context);
    if (problem !== null) return problem;
  }
  return null;
}

/** The sub-folder in which the commands run must come with the commit, as a folder. */
async function rootProblem(tree: string, commit: string, { root }: Target): Promise<StepEnd | null> {
  const parts = root.split('/');
  for (let depth = 1; root !== '' && depth <= parts.length; depth++) {
    if (parts[depth - 1] !== '..' && (await isFolder(join(tree, ...parts.slice(0, depth))))) continue;
    return failed('stage_failed', `the commit ${commit} has no folder ${root}, in which this fraise lives`, {
      hint: 'correct `root` in the configuration, or deploy a commit that has it',
      facts: { root, commit },
    });
  }
  return null;
}
