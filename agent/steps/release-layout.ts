import { lstat, open, readFile, readdir, readlink, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FraisierError } from '../../proto/error-codes.js';
import { Layout } from '../../proto/gen/fraisier/v1/plan.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { isCode } from './ends.js';

/** Where the parts of a fraise with layout `releases` are. */
export interface ReleaseLayout {
  readonly app: string;
  readonly releases: string;
  readonly shared: string;
  /** The link to the live release, relative: `releases/<commit>`. */
  readonly current: string;
}

/** The paths below an `app_path`. */
export function layoutOf(target: Pick<Target, 'appPath'>): ReleaseLayout {
  const app = target.appPath.replace(/\/+$/, '');
  return { app, releases: join(app, 'releases'), shared: join(app, 'shared'), current: join(app, 'current') };
}

/** Whether it is an existing checkout that is updated where it is. */
export function isInPlace({ layout }: Pick<Target, 'layout'>): boolean {
  return layout === Layout.IN_PLACE;
}

const FULL_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether it is a full SHA-1 or SHA-256 in lower-case hex. */
export function isCommit(text: string): boolean {
  return FULL_COMMIT.test(text);
}

/** The folder of a release. Throws `protocol_violation` for anything but a full commit: it becomes part of a path. */
export function releaseFolder(target: Pick<Target, 'appPath'>, commit: string): string {
  if (!isCommit(commit)) throw new FraisierError('protocol_violation', `"${commit}" is not a full commit`);
  return join(layoutOf(target).releases, commit);
}

/** What is known of a release on this host. Kept beside its folder, never in the tree of the commit. */
export interface ReleaseMark {
  readonly commit: string;
  readonly stagedAt: string;
  readonly activatedAt: string | null;
  readonly provenGoodAt: string | null;
  /** That of earlier deployments, which is left when this one is taken back; absent: none. */
  readonly provenBefore?: string;
  /** What was live when this one was activated. */
  readonly previous: string | null;
  /** Steps that are done once per release and succeeded in it, each with the digest of the command it ran. */
  readonly done?: Readonly<Record<string, string>>;
}

/** Null when it was never staged to its end. */
export async function readReleaseMark(
  target: Pick<Target, 'appPath'>,
  commit: string,
): Promise<ReleaseMark | null> {
  try {
    const mark = JSON.parse(await readFile(markFile(target, commit), 'utf8')) as Partial<ReleaseMark> | null;
    if (typeof mark?.stagedAt !== 'string') return null;
    const { stagedAt, activatedAt = null, provenGoodAt = null, previous = null, provenBefore, done } = mark;
    return {
      ...{ commit, stagedAt, activatedAt, provenGoodAt, previous },
      ...(provenBefore === undefined ? {} : { provenBefore }),
      ...(done === undefined ? {} : { done }),
    };
  } catch (error) {
    if (isCode(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** On the disk when it returns. */
export async function writeReleaseMark(target: Pick<Target, 'appPath'>, mark: ReleaseMark): Promise<void> {
  const file = markFile(target, mark.commit);
  // Whoever owns the folder could have put a link there, and root would write through it.
  await rm(`${file}.new`, { force: true });
  const handle = await open(`${file}.new`, 'wx', 0o644);
  try {
    await handle.writeFile(`${JSON.stringify(mark)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await syncFolder(layoutOf(target).releases);
}

/** Where what is known of a release is kept: beside its folder, `<commit>.json`. */
export function markFile(target: Pick<Target, 'appPath'>, commit: string): string {
  return `${releaseFolder(target, commit)}.json`;
}

/** The commit that `current` points to; empty when nothing is live, or the link leads elsewhere. */
export async function liveRelease(target: Pick<Target, 'appPath'>): Promise<string> {
  const { current, releases } = layoutOf(target);
  const to = await readlink(current).catch((error: unknown) => {
    if (isCode(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return '';
    throw error;
  });
  const commit = basename(to);
  const ours = to === `releases/${commit}` || to === join(releases, commit);
  return ours && isCommit(commit) ? commit : '';
}

/** Every release whose folder is there, whole or not. */
export async function listReleases(
  target: Pick<Target, 'appPath'>,
): Promise<readonly { commit: string; mark: ReleaseMark | null }[]> {
  const names = await readdir(layoutOf(target).releases).catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return [];
    throw error;
  });
  const commits = names.filter(isCommit).toSorted();
  return Promise.all(
    commits.map(async (commit) => ({ commit, mark: await readReleaseMark(target, commit) })),
  );
}

/** Whether a release was healthy here once. False for none (empty). */
export async function isProvenGood(target: Pick<Target, 'appPath'>, commit: string): Promise<boolean> {
  const mark = commit === '' ? null : await readReleaseMark(target, commit);
  return mark !== null && mark.provenGoodAt !== null;
}

/** Whether the release is there and was staged to its end. */
export async function isStaged(target: Pick<Target, 'appPath'>, commit: string): Promise<boolean> {
  return (await isFolder(releaseFolder(target, commit))) && (await readReleaseMark(target, commit)) !== null;
}

/** What `current` is, whatever it leads to. */
export async function kindOfCurrent(target: Pick<Target, 'appPath'>): Promise<'nothing' | 'link' | 'other'> {
  try {
    return (await lstat(layoutOf(target).current)).isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (isCode(error, 'ENOENT')) return 'nothing';
    throw error;
  }
}

/** A folder itself, not a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isDirectory() ?? false;
}

/** Makes a rename in the folder last through a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
