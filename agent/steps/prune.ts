import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prune } from '../../proto/gen/fraisier/v1/plan.js';
import { repositoryOf } from './checkout.js';
import { endOfCommand, endOfDiskError, failed, saidBy, succeeded } from './ends.js';
import { gitOf, isOk, mirrorFolder } from './git.js';
import { tidyMirror } from './mirror.js';
import { liveCommit, placeOf } from './place.js';
import { isFolder, layoutOf, listReleases, markFile } from './release-layout.js';
import type { ReleaseMark } from './release-layout.js';
import { releasesInUse } from './releases-in-use.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { releasesNotTrusted } from './trusted-releases.js';

/** Removes the releases that are not kept, and what killed attempts left; tidies the mirror. */
export const prune: RunStep<Prune> = async (spec, context) => {
  try {
    const superfluous = toRemove(await listReleases(placeOf(context)), await liveCommit(context), spec);
    const used = await inUse(superfluous, context);
    const removed = superfluous.filter((commit) => !used.has(commit));
    const { releases } = layoutOf(placeOf(context));
    const problem =
      (await releasesNotTrusted(releases, 'prune_failed')) ?? (await remove(removed, releases, context));
    if (problem !== null) return problem;
    await tidy(context);
    return succeeded({ summary: summaryOf(removed, [...used.keys()]) });
  } catch (error) {
    return endOfDiskError(error, 'removing old releases', 'prune_failed');
  }
};

/** Releases below which a process works still, each with one such; every one is a note. They go when it has ended. */
async function inUse(commits: readonly string[], context: StepContext): Promise<ReadonlyMap<string, number>> {
  const used = await releasesInUse(placeOf(context), commits, context.now());
  for (const [commit, pid] of used) {
    const facts = { release: commit, pid: String(pid) };
    await context.note('in_use', `the release ${commit} is kept: process ${pid} works in it`, facts);
  }
  return used;
}

function summaryOf(removed: readonly string[], used: readonly string[]): string {
  const kept = used.length === 0 ? '' : `; kept ${used.join(', ')}, in which processes work`;
  return `${removed.length === 0 ? 'nothing to remove' : `removed ${removed.join(', ')}`}${kept}`;
}

interface Release {
  readonly commit: string;
  readonly mark: ReleaseMark | null;
}

/**
 * Which releases go. Kept whatever their number: the live one, the newest proven good beside it, and `keepCommits`. The
 * rest of `keep` is filled with those proven good, newest first, and only then with others: failed releases go first.
 */
export function toRemove(releases: readonly Release[], live: string, spec: Prune): readonly string[] {
  const order = releases.toSorted(byWorth).map(({ commit }) => commit);
  const newestGood = releases
    .toSorted(byWorth)
    .find(({ commit, mark }) => commit !== live && goodSince(mark) !== '');
  const kept = new Set([live, ...spec.keepCommits].filter((commit) => order.includes(commit)));
  if (newestGood !== undefined) kept.add(newestGood.commit);
  for (const commit of order) {
    if (kept.size < Math.max(1, spec.keep)) kept.add(commit);
  }
  return order.filter((commit) => !kept.has(commit));
}

/** Proven good before others, then by age, the newest first. */
function byWorth(one: Release, other: Release): number {
  return compare(goodSince(other.mark), goodSince(one.mark)) || compare(stagedSince(other), stagedSince(one));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function goodSince(mark: ReleaseMark | null): string {
  return mark?.provenGoodAt ?? '';
}

function stagedSince({ mark }: Release): string {
  return mark?.stagedAt ?? '';
}

/** The mark first: a folder without one is known to be rubbish. */
async function remove(
  commits: readonly string[],
  releases: string,
  context: StepContext,
): Promise<StepEnd | null> {
  for (const commit of commits) await rm(markFile(placeOf(context), commit), { force: true });
  const names = (await isFolder(releases)) ? await readdir(releases) : [];
  const rubbish = [...commits, ...names.filter((name) => name.includes('.staging-'))].map((name) =>
    join(releases, name),
  );
  if (rubbish.length === 0) return null;
  const end = await context.command({
    argv: ['rm', '-rf', '--', ...rubbish],
    capture: true,
  });
  if (isOk(end)) return null;
  return end.ended === 'exited'
    ? failed('prune_failed', `old releases could not be removed: ${saidBy(end).trim()}`)
    : endOfCommand(end, 'rm', 'prune_failed');
}

/** What git says is in the log; a mirror that is not tidy still works. */
async function tidy(context: StepContext): Promise<void> {
  const repository = await repositoryOf(context.target);
  const mirror = mirrorFolder(context.stateFolder, repository);
  if (repository !== '' && (await isFolder(mirror))) await tidyMirror(gitOf(context), mirror);
}
