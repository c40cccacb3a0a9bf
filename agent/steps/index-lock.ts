import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gitFolderOf } from './checkout.js';
import { failed, isCode } from './ends.js';
import { layoutOf } from './release-layout.js';
import type { StepContext, StepEnd } from './step.js';

/**
 * Removes the `index.lock` that a killed git left in the checkout; refuses while a git is at work there. Null when there
 * is none (any more). Limit: a git that starts at this very moment is not seen.
 */
export async function clearIndexLock(context: StepContext, proc = '/proc'): Promise<StepEnd | null> {
  const { app } = layoutOf(context.target);
  const git = await gitFolderOf(app);
  if (git === null) return null;
  const lock = join(git, 'index.lock');
  if (!(await isThere(lock))) return null;
  const [folder, gitFolder] = await Promise.all([realpath(app), realpath(git)]);
  const holder = await gitAtWork([folder, gitFolder], join(gitFolder, 'index.lock'), proc);
  if (holder === null) {
    await rm(lock, { force: true });
    await context.log(`removed ${lock}, which a git that is gone had left`);
    return null;
  }
  const message = `another git is at work in the checkout ${app}${holder === '' ? '' : ` (process ${holder})`}, and holds ${lock}`;
  return failed('activate_failed', message, {
    hint: `wait for it to end, then deploy again; if there is none: sudo rm ${lock}`,
    facts: { app_path: app, lock },
  });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The process that works there; empty when the host does not tell about its processes, null when there is none. */
async function gitAtWork(folders: readonly string[], lock: string, proc: string): Promise<string | null> {
  const processes = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
  if (processes.length === 0) return '';
  for (const pid of processes) {
    if (await worksThere(join(proc, pid), folders, lock)) return pid;
  }
  return null;
}

/** A process called git, in the folder or with the lock in its hands; one that does not let itself be looked at counts. */
async function worksThere(process: string, folders: readonly string[], lock: string): Promise<boolean> {
  const name = await readFile(join(process, 'comm'), 'utf8').catch(() => '');
  if (!name.startsWith('git')) return false;
  const cwd = await readlink(join(process, 'cwd')).catch((error: unknown) =>
    isCode(error, 'ENOENT', 'ESRCH') ? '' : null,
  );
  if (cwd === null || folders.some((folder) => cwd === folder || cwd.startsWith(`${folder}/`))) return true;
  const handles = await readdir(join(process, 'fd')).catch(() => []);
  const open = await Promise.all(handles.map((fd) => readlink(join(process, 'fd', fd)).catch(() => '')));
  return open.includes(lock);
}
