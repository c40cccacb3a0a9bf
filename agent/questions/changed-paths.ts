import { FraisierError } from '../../proto/error-codes.js';
import type { ChangedPaths, PathsBetween } from '../../proto/gen/fraisier/v1/agent.js';
import { saidBy } from '../steps/ends.js';
import { gitRead, isOk, outputOf } from '../steps/git.js';
import { saidByGit } from '../steps/mirror.js';
import { mustBring, questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';
import { codeOf } from './resolve-ref.js';

/** More than these are not told, so that an answer stays a message of moderate size. */
const MOST_PATHS = 20_000;
const MOST_CHARACTERS = 1_000_000;

/**
 * Every path that differs between the trees of two commits, whatever lies between them; of a file that was moved, both
 * paths. Throws FraisierError when either commit cannot be had.
 */
export async function changedPaths(
  { target, from, to }: ChangedPaths,
  ports: HostPorts,
): Promise<PathsBetween> {
  const code = await codeOf(target, [], ports);
  const git = questionGit(ports);
  for (const commit of [from, to]) await mustBring(git, { ...code, commit, ref: '' });
  const asked = ['diff', '--name-only', '--no-renames', '--ignore-submodules=none', '-z', from, to];
  const end = await git(gitRead(code.mirror, asked, { offline: true }));
  if (!isOk(end))
    throw new FraisierError('no_answer', `git could not compare the commits: ${saidByGit(saidBy(end))}`);
  return bounded(outputOf(end).split('\0').slice(0, -1));
}

function bounded(all: readonly string[]): PathsBetween {
  const paths: string[] = [];
  let characters = 0;
  for (const path of all) {
    characters += path.length;
    if (paths.length === MOST_PATHS || characters > MOST_CHARACTERS) return { paths, truncated: true };
    paths.push(path);
  }
  return { paths, truncated: false };
}
