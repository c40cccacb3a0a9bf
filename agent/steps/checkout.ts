import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FraisierError } from '../../proto/error-codes.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { runProgram } from '../exec/run-program.js';
import { isCode } from './ends.js';
import { isCommit, isInPlace, layoutOf } from './release-layout.js';

/**
 * An existing checkout as its files tell: no git runs in it here, so nothing of it is executed, and it does not matter
 * whom it belongs to.
 */

/** Its git folder: `.git`, or what a `.git` file names (a worktree, a submodule). Null when it is no checkout. */
export async function gitFolderOf(checkout: string): Promise<string | null> {
  const dotGit = join(checkout, '.git');
  const text = await textOf(dotGit);
  if (text === 'folder') return dotGit;
  const [, to] = /^gitdir: (.+)\n?$/.exec(text ?? '') ?? [];
  return to === undefined ? null : resolve(checkout, to);
}

/** The full commit that is checked out; empty when there is none, or it is not told in a way that is understood. */
export async function headOf(checkout: string): Promise<string> {
  const git = await gitFolderOf(checkout);
  if (git === null) return '';
  const head = ((await textOf(join(git, 'HEAD'))) ?? '').trim();
  const [, branch] = /^ref: (refs\/\S+)$/.exec(head) ?? [];
  const commit = branch === undefined ? head : await commitOf(await commonFolder(git), branch);
  return isCommit(commit) ? commit : '';
}

/** Of a worktree, the folder of the repository that it belongs to. */
async function commonFolder(git: string): Promise<string> {
  const common = await textOf(join(git, 'commondir'));
  return common === null ? git : resolve(git, common.trim());
}

async function commitOf(git: string, branch: string): Promise<string> {
  const loose = await textOf(join(git, branch));
  if (loose !== null) return loose.trim();
  const packed = (await textOf(join(git, 'packed-refs'))) ?? '';
  const line = packed.split('\n').find((one) => one.endsWith(` ${branch}`));
  return line?.split(' ')[0] ?? '';
}

/** Null when there is no such file; `folder` for a folder. */
async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isCode(error, 'EISDIR')) return 'folder';
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

/** The address of the checkout's remote `origin`; empty when there is none. */
export async function originOf(checkout: string): Promise<string> {
  const git = await gitFolderOf(checkout);
  if (git === null) return '';
  const config = join(await commonFolder(git), 'config');
  const asked = ['git', 'config', '--file', config, '--get', 'remote.origin.url'];
  return (await runProgram(asked, { timeoutMs: 10_000 })).stdout.trim();
}

/** Where the code of the target comes from: what the plan says, otherwise the `origin` of the checkout; may be empty. */
export async function repositoryOf(target: Target, named = target.repository): Promise<string> {
  return named !== '' || !isInPlace(target) ? named : originOf(layoutOf(target).app);
}

/** As `repositoryOf`; throws FraisierError `preflight_failed` where there is none. */
export async function mustHaveRepository(target: Target, named = target.repository): Promise<string> {
  const repository = await repositoryOf(target, named);
  if (repository !== '' || !isInPlace(target)) return repository;
  throw noOrigin(layoutOf(target).app);
}

/** Said of a checkout that is to be deployed from its own `origin`. */
export function noOrigin(app: string): FraisierError {
  return new FraisierError('preflight_failed', `the checkout ${app} has no remote "origin" to fetch from`, {
    hint: `name the repository in the configuration, or on the host: git -C ${app} remote add origin URL`,
    facts: { app_path: app },
  });
}
