import { lstat, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { failed } from './ends.js';
import { giveAll } from './give-all.js';
import { giveTo } from './give-to.js';
import { workFolder } from './place.js';
import { layoutOf, releaseFolder } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/**
 * Puts links to `shared/<path>` where the target's shared paths are in the tree, seen from the folder it works in. What the first release holds there
 * becomes the shared content; a path that is in neither is made as an empty folder, or, with a dot in its name, left to
 * be made (its folder is there). Null when all went well. No link of the commit is ever followed.
 */
export async function linkShared(tree: string, context: StepContext): Promise<StepEnd | null> {
  const { shared } = layoutOf(context.target);
  for (const path of context.target.shared.map((path) => path.replace(/\/+$/, ''))) {
    if (!isPlain(path))
      return failed('stage_failed', `the shared path "${path}" must be relative, without ".."`);
    const crooked = (await linkedParent(tree, path)) ?? (await linkedParent(shared, path));
    if (crooked !== null) {
      return failed(
        'stage_failed',
        `the shared path ${path} leads through ${crooked}, which is not a folder`,
      );
    }
    await makeParents(shared, path, context);
    const problem = await provide(join(tree, path), join(shared, path), context);
    if (problem !== null) return problem;
    await linkTo(tree, path, context);
  }
  return null;
}

function isPlain(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\0') &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** The first part of the way to `path` that is there and not a folder itself. */
async function linkedParent(root: string, path: string): Promise<string | null> {
  for (const folder of parentsOf(path)) {
    const there = await lstat(join(root, folder)).catch(() => null);
    if (there !== null && !there.isDirectory()) return folder;
  }
  return null;
}

/** From the top: `a`, `a/b` for `a/b/c`. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

async function makeParents(shared: string, path: string, context: StepContext): Promise<void> {
  for (const folder of ['', ...parentsOf(path)]) await makeFolder(join(shared, folder), context);
}

async function makeFolder(folder: string, context: StepContext): Promise<void> {
  if ((await lstat(folder).catch(() => null)) !== null) return;
  await mkdir(folder, { mode: 0o755 });
  await giveTo(context.target.user, folder);
}

async function provide(inTree: string, inShared: string, context: StepContext): Promise<StepEnd | null> {
  if ((await lstat(inShared).catch(() => null)) !== null) return null;
  const inCommit = await lstat(inTree).catch(() => null);
  if (inCommit !== null && !inCommit.isSymbolicLink()) return moveOut(inTree, inShared, context);
  if (!basename(inShared).includes('.')) await makeFolder(inShared, context);
  else await context.log(`${inShared} is not there yet; the release links to it`);
  return null;
}

/** With all that is below it given to its user before it is where that user could put a link into it. */
async function moveOut(inTree: string, inShared: string, context: StepContext): Promise<StepEnd | null> {
  const problem = await giveAll(inTree, context);
  if (problem !== null) return problem;
  await rename(inTree, inShared);
  await context.log(`${inShared} now holds what came with the commit`);
  return null;
}

async function linkTo(tree: string, path: string, context: StepContext): Promise<void> {
  const place = join(tree, path);
  await rm(place, { recursive: true, force: true });
  await mkdir(dirname(place), { recursive: true });
  const release = workFolder(releaseFolder(context.target, context.commit), context.target);
  await symlink(relative(dirname(join(release, path)), join(layoutOf(context.target).shared, path)), place);
}
