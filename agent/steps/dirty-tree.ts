import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import { problemHere, namesIn, runHere } from './git-in-checkout.js';
import { outputOf } from './git.js';
import { layoutOf } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/** More files are counted, not named. */
const MOST_NAMED = 20;

/** What git is asked for changes of tracked files; submodules are not looked into. */
export const STATUS = [
  '--no-optional-locks',
  'status',
  '--porcelain',
  '-z',
  '--untracked-files=no',
  '--ignore-submodules=all',
];

/** Refuses a checkout in which tracked files were changed; ignored and other files do not count. Null when it is clean. */
export async function dirtyProblem(context: StepContext): Promise<StepEnd | null> {
  const end = await runHere(context, STATUS);
  const { app } = layoutOf(context.target);
  const problem = problemHere(end, `git could not look at the checkout ${app}`, 'preflight_failed');
  if (problem !== null) return problem;
  const files = changedIn(outputOf(end));
  return files.length === 0 ? null : { outcome: Outcome.FAILED, reason: dirtyReason(app, files) };
}

/** Said of a checkout in which tracked files were changed. */
export function dirtyReason(app: string, files: readonly string[]): Reason {
  return dirty(app, 'has changes that are not committed', files);
}

/** The paths of `git status --porcelain -z`: a renamed file is followed by its old name. */
export function changedIn(output: string): readonly string[] {
  const files: string[] = [];
  let isOldName = false;
  for (const entry of namesIn(output)) {
    if (!isOldName) files.push(entry.slice(3));
    isOldName = !isOldName && /^[RC]/.test(entry);
  }
  return files;
}

/**
 * Refuses when files that are not tracked are where the commit has files of its own. Ignored ones do not count: git
 * replaces them. Null when there are none. The commit must be in the checkout's repository.
 */
export async function overwriteProblem(commit: string, context: StepContext): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  const untracked = await runHere(context, ['ls-files', '--others', '--exclude-standard', '-z']);
  const added = await runHere(context, [
    'diff',
    '--name-only',
    '--no-renames',
    '--diff-filter=A',
    '-z',
    'HEAD',
    commit,
  ]);
  const problem =
    problemHere(untracked, `git could not look at the checkout ${app}`, 'stage_failed') ??
    problemHere(added, `git could not compare the checkout ${app} with ${commit}`, 'stage_failed');
  if (problem !== null) return problem;
  const files = inTheWay(namesIn(outputOf(untracked)), namesIn(outputOf(added)));
  const what = `has files that are not tracked where ${commit.slice(0, 12)} has its own`;
  return files.length === 0 ? null : { outcome: Outcome.FAILED, reason: dirty(app, what, files) };
}

/** Which files are where others are to come: the same path, a folder of theirs, or something below one of them. */
export function inTheWay(files: readonly string[], coming: readonly string[]): readonly string[] {
  const comingFiles = new Set(coming);
  const comingFolders = new Set(coming.flatMap(foldersOf));
  return files.filter(
    (file) =>
      comingFiles.has(file) ||
      comingFolders.has(file) ||
      foldersOf(file).some((folder) => comingFiles.has(folder)),
  );
}

/** `a`, `a/b` for `a/b/c`. */
export function foldersOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

function dirty(app: string, what: string, files: readonly string[]): Reason {
  const named = files.slice(0, MOST_NAMED).map(printable);
  return reason('dirty_tree', `the checkout ${app} ${what}: ${namedFiles(files)}`, {
    hint: `on the host: git -C ${app} status; commit, stash or remove them, then deploy again`,
    facts: { app_path: app, files: named.join('\n'), count: String(files.length) },
  });
}

/** `a, b and 3 more`. */
export function namedFiles(files: readonly string[]): string {
  const named = files.slice(0, MOST_NAMED).map(printable);
  const more = files.length > named.length ? ` and ${files.length - named.length} more` : '';
  return `${named.join(', ')}${more}`;
}

/** A name with anything but plain characters in JSON's quotes. */
function printable(name: string): string {
  return /[\p{Cc}"\\]/u.test(name) ? JSON.stringify(name) : name;
}
