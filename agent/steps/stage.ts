import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfCommand, endOfDiskError, failed, succeeded } from './ends.js';
import { gitOf, gitRead, mirrorFolder } from './git.js';
import { linkShared } from './shared-paths.js';
import {
  isFolder,
  isStaged,
  layoutOf,
  liveRelease,
  releaseFolder,
  syncFolder,
  writeReleaseMark,
} from './release-layout.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

/**
 * Writes the tree of the commit to `releases/<commit>`: beside it first, then by rename(2), so that it is there whole or
 * not at all. One that is there whole is used as it is.
 */
export const stage: RunStep<Stage> = async ({ commit }, context) => {
  try {
    const release = releaseFolder(context.target, commit);
    if (await isStaged(context.target, commit)) {
      await context.log(`${release} is there already`);
      return succeeded({ summary: 'already staged' });
    }
    return (await clearAway(commit, context)) ?? (await writeRelease(commit, release, context));
  } catch (error) {
    return endOfDiskError(error, 'staging the release', 'stage_failed');
  }
};

/** What killed attempts left behind. A folder without its mark is one, too, unless it is live. */
async function clearAway(commit: string, context: StepContext): Promise<StepEnd | null> {
  const { releases } = layoutOf(context.target);
  await mkdir(releases, { recursive: true, mode: 0o755 });
  const left = (await readdir(releases)).filter((name) => name.startsWith(`${commit}.staging`));
  if (await isFolder(releaseFolder(context.target, commit))) {
    if ((await liveRelease(context.target)) === commit) return marked(commit, context, 'live already');
    left.push(commit);
  }
  if (left.length === 0) return null;
  return run(
    ['rm', '-rf', '--', ...left.map((name) => join(releases, name))],
    'clearing away a broken release',
    context,
  );
}

async function writeRelease(commit: string, release: string, context: StepContext): Promise<StepEnd> {
  const suffix = `${context.runId}-${context.attempt}`.replace(/[^A-Za-z0-9._-]/g, '_');
  const staging = `${release}.staging-${suffix}`;
  await mkdir(staging, { mode: 0o755 });
  const problem =
    (await checkout(commit, staging, context)) ??
    (await linkShared(staging, context)) ??
    (await handOver(staging, context)) ??
    (await run(['sync', '-f', staging], 'writing the release to disk', context));
  if (problem !== null) return problem;
  await rename(staging, release);
  await syncFolder(layoutOf(context.target).releases);
  return marked(commit, context, 'staged');
}

async function marked(commit: string, context: StepContext, summary: string): Promise<StepEnd> {
  const stagedAt = context.now().toISOString();
  await writeReleaseMark(context.target, {
    commit,
    stagedAt,
    activatedAt: null,
    provenGoodAt: null,
    previous: null,
  });
  return succeeded({ summary });
}

/** Through an index of its own, so that the mirror stays as it is. */
async function checkout(commit: string, staging: string, context: StepContext): Promise<StepEnd | null> {
  const mirror = mirrorFolder(context.stateFolder, context.target.repository);
  const index = `${staging}.index`;
  const args = [`--work-tree=${staging}`, 'read-tree', '-u', '--reset', commit];
  const end = await gitOf(context)(gitRead(mirror, args, { GIT_INDEX_FILE: index }));
  if (end.ended !== 'exited' || end.exitCode !== 0) return endOfCommand(end, 'git', 'stage_failed');
  await rm(index, { force: true });
  return null;
}

/** The code belongs to the user it runs as. */
async function handOver(staging: string, context: StepContext): Promise<StepEnd | null> {
  const { user } = context.target;
  if (user === '') return null;
  return run(['chown', '-R', '-h', '--', `${user}:`, staging], `giving the release to ${user}`, context);
}

/** Null when it went well. */
async function run(argv: readonly string[], what: string, context: StepContext): Promise<StepEnd | null> {
  const end = await context.command({
    argv: ['/bin/sh', '-c', 'exec "$@" 2>&1', 'run', ...argv],
    capture: true,
  });
  if (end.ended === 'exited' && end.exitCode === 0) return null;
  return end.ended === 'exited'
    ? failed('stage_failed', `${what}: ${end.output.trim()}`)
    : endOfCommand(end, what, 'stage_failed');
}
