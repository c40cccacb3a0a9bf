import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileChange } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { gitRead, isOk, mirrorFolder, outputOf } from '../steps/git.js';
import type { RunGit } from '../steps/git.js';
import { hasCommit } from '../steps/mirror.js';
import { releaseFolder } from '../steps/release-layout.js';

/** More are not named. */
const MOST_NAMED = 50;
/** What programs write beside their own code, with nobody's hand in it. */
const BYPRODUCT = /(?:^|\/)(?:__pycache__|node_modules|\.pytest_cache)(?:\/|$)|\.pyc$/;

/**
 * What was changed in a live release since it was activated, against its commit: files of the commit, and files that are
 * neither of it nor ignored. What lies in shared paths, or was written by the time it was activated (as install
 * does), is not told. Empty when the commit is not in the mirror. Reads only; the index is a temporary one.
 */
export async function changedFiles(
  git: RunGit,
  { target, stateFolder }: { readonly target: Target; readonly stateFolder: string },
  commit: string,
  since: Date,
): Promise<readonly FileChange[]> {
  const mirror = mirrorFolder(stateFolder, target.repository);
  if (target.repository === '' || !(await hasCommit(git, mirror, commit))) return [];
  const tree = releaseFolder(target, commit);
  const scratch = await mkdtemp(join(tmpdir(), 'fraisier-look-'));
  try {
    const ask = async (args: readonly string[]): Promise<string> => {
      const use = { environment: { GIT_INDEX_FILE: join(scratch, 'index') }, offline: true };
      const end = await git(gitRead(mirror, [`--work-tree=${tree}`, ...args], use));
      return isOk(end) ? outputOf(end) : '';
    };
    await ask(['read-tree', commit]);
    await ask(['update-index', '-q', '--refresh']);
    const changed = changesIn(await ask(['diff-files', '--name-status', '--ignore-submodules', '-z']));
    const foreign = (await ask(['ls-files', '--others', '--exclude-standard', '-z'])).split('\0');
    const all = [...changed, ...foreign.map((path) => ({ path, change: '?' }))];
    return await sinceThen(
      tree,
      all.filter(({ path }) => isTold(path, target)),
      since,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A letter and a path in turn. */
function changesIn(output: string): readonly FileChange[] {
  const words = output.split('\0');
  return words.flatMap((word, at) => (at % 2 === 0 ? [{ change: word, path: words[at + 1] ?? '' }] : []));
}

function isTold(path: string, { shared }: Target): boolean {
  if (path === '' || BYPRODUCT.test(path)) return false;
  return !shared.some((one) => path === one || path.startsWith(`${one.replace(/\/+$/, '')}/`));
}

async function sinceThen(
  tree: string,
  changes: readonly FileChange[],
  since: Date,
): Promise<readonly FileChange[]> {
  const told: FileChange[] = [];
  for (const one of changes) {
    if (told.length === MOST_NAMED) break;
    if ((await changedAt(join(tree, one.path))) > since.getTime()) told.push(one);
  }
  return told;
}

/** Of a file that is gone, when its folder changed; infinitely late when that is gone, too. */
async function changedAt(path: string): Promise<number> {
  const there = await lstat(path).catch(() => lstat(dirname(path)).catch(() => null));
  return there === null ? Infinity : there.mtimeMs;
}
