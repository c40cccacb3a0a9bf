import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { gitFolderOf } from './checkout.js';
import { foldersOf, namedFiles } from './dirty-tree.js';
import { endOfCommand } from './ends.js';
import { namesIn, problemHere, runHere } from './git-in-checkout.js';
import { isOk, outputOf } from './git.js';
import { layoutOf } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/** Of one command: arguments are limited. */
const AT_ONCE = 200;

/** Moves paths of the folder it is started in to the same places below another. */
const MOVE = `to=$1
shift
for path; do
  case $path in
    */*) mkdir -p -- "$to/\${path%/*}" || exit ;;
    *) mkdir -p -- "$to" || exit ;;
  esac
  mv -- "$path" "$to/$path" || exit
done`;

/**
 * Moves what is of no commit (ignored or not) and stands where the commit has files of its own to
 * `fraisier-left/<run>-<attempt>/` in the git folder, and names it in the log. Null when nothing is in the way any more.
 * Limit: of lists longer than 1 MiB the rest is not looked at.
 */
export async function keepInTheWay(
  before: string,
  commit: string,
  context: StepContext,
): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  const coming = await ask(['diff', ...NEW_FILES, await treeBefore(before, context), commit], context);
  if ('problem' in coming) return coming.problem;
  const standing = await standingAt(app, coming.names);
  for (let at = 0; at < standing.length; at += AT_ONCE) {
    const literal = ['--literal-pathspecs', 'ls-files', '--others', '-z', '--'];
    const foreign = await ask([...literal, ...standing.slice(at, at + AT_ONCE)], context);
    const problem = 'problem' in foreign ? foreign.problem : await moveAll(foreign.names, context);
    if (problem !== null) return problem;
  }
  return null;
}

/** What a commit brings; submodules stay as they are. */
const NEW_FILES = ['--name-only', '--no-renames', '--diff-filter=A', '--ignore-submodules=all', '-z'];

/** Where nothing is checked out, the empty tree: its name depends on the repository's kind of hash. */
async function treeBefore(before: string, context: StepContext): Promise<string> {
  if (before !== '') return before;
  return outputOf(await runHere(context, ['hash-object', '-t', 'tree', '/dev/null'])).trim();
}

async function ask(
  args: readonly string[],
  context: StepContext,
): Promise<{ readonly names: readonly string[] } | { readonly problem: StepEnd }> {
  const end = await runHere(context, args);
  const { app } = layoutOf(context.target);
  const problem = problemHere(end, `git could not tell what is in the way in ${app}`, 'activate_failed');
  return problem === null ? { names: namesIn(outputOf(end)) } : { problem };
}

/** What is there where files are to come, tracked or not: of that name, or no folder on the way to it. */
async function standingAt(app: string, coming: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const path of coming) {
    const first = await firstStanding(app, path);
    if (first !== null) found.add(first);
  }
  return [...found];
}

async function firstStanding(app: string, path: string): Promise<string | null> {
  for (const folder of foldersOf(path)) {
    const there = await lstat(join(app, folder)).catch(() => null);
    if (there === null) return null;
    if (!there.isDirectory()) return folder;
  }
  return (await lstat(join(app, path)).catch(() => null)) === null ? null : path;
}

/** As the user whose code it is, like git. */
async function moveAll(names: readonly string[], context: StepContext): Promise<StepEnd | null> {
  if (names.length === 0) return null;
  const { target } = context;
  const { app } = layoutOf(target);
  // Git has just worked there.
  const git = (await gitFolderOf(app)) as string;
  const to = join(git, 'fraisier-left', `${context.runId}-${context.attempt}`);
  await context.log(`what is of no commit and is in the way is kept in ${to}: ${namedFiles(names)}`);
  const end = await context.command({
    // A repository within is told with a slash at its end.
    argv: ['/bin/sh', '-c', MOVE, 'move', to, ...names.map((name) => name.replace(/\/$/, ''))],
    cwd: app,
    capture: true,
    ...(target.user === '' ? {} : { user: target.user }),
  });
  return isOk(end) ? null : endOfCommand(end, `keeping what is in the way in ${app}`, 'activate_failed');
}
