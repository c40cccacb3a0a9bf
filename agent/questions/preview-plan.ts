import { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { FileChange, Preview } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { checkPolicy } from '../steps/check-policy.js';
import { mirrorFolder } from '../steps/git.js';
import type { RunGit } from '../steps/git.js';
import { ask, bringCommit } from '../steps/mirror.js';
import { freeBytes, hostProblem } from '../steps/preflight.js';
import { isProvenGood, isStaged, liveRelease } from '../steps/release-layout.js';
import { questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';

/** More files are not listed. */
const MOST_FILES = 2000;

/** What a plan would change on this host, and why it would be refused or fail. Reads only; the mirror may grow. */
export async function previewPlan(
  { target, commit, steps, migrationPaths }: Preview,
  ports: HostPorts,
): Promise<HostPreview> {
  if (target === undefined) throw new FraisierError('protocol_violation', 'the question names no target');
  const refused = await checkPolicy(target, steps, ports.policy);
  if (refused !== null) return HostPreview.fromPartial({ refusals: [refused] });
  const live = await liveRelease(target);
  const git = questionGit(ports);
  const wanted = {
    mirror: mirrorFolder(ports.stateFolder, target.repository),
    repository: target.repository,
    commit,
    ref: '',
  };
  const brought = await bringCommit(git, wanted);
  const unfetched = brought.is === 'refused' ? [brought.reason] : [];
  return HostPreview.fromPartial({
    currentRelease: live,
    currentProvenGood: await isProvenGood(target, live),
    freeBytes: await freeBytes(target.appPath),
    alreadyStaged: await isStaged(target, commit),
    refusals: [...(await hostRefusals(target, ports)), ...unfetched],
    ...(unfetched.length > 0 ? {} : await changes(git, wanted.mirror, live, commit, migrationPaths)),
  });
}

async function hostRefusals(target: Target, ports: HostPorts): Promise<readonly Reason[]> {
  const problem = await hostProblem(target, ports.systemd);
  return problem === null ? [] : [problem.reason];
}

/** Without a live release, or with one whose commit is in no mirror, everything is new. */
async function changes(
  git: RunGit,
  mirror: string,
  live: string,
  commit: string,
  migrationPaths: readonly string[],
): Promise<Pick<HostPreview, 'files' | 'commitsAhead' | 'estimatedMigrations'>> {
  const emptyTree = await ask(git, mirror, ['hash-object', '-t', 'tree', '/dev/null']);
  const known = live !== '' && (await ask(git, mirror, ['cat-file', '-e', `${live}^{commit}`])) !== null;
  const from = known ? live : (emptyTree ?? '');
  const range = known ? [`${live}..${commit}`] : [commit];
  const ahead = await ask(git, mirror, ['rev-list', '--count', ...range]);
  return {
    files: (await changedFiles(git, mirror, [from, commit])).slice(0, MOST_FILES),
    commitsAhead: Number(ahead ?? 0),
    estimatedMigrations: await changedMigrations(git, mirror, [from, commit], migrationPaths),
  };
}

async function changedMigrations(
  git: RunGit,
  mirror: string,
  between: readonly [string, string],
  globs: readonly string[],
): Promise<string[]> {
  if (globs.length === 0) return [];
  const files = await changedFiles(
    git,
    mirror,
    between,
    globs.map((glob) => `:(glob)${glob}`),
  );
  return files.map(({ path }) => path);
}

/** `git diff --name-status -z`: a letter and a path in turn; a rename is the letter, the old path and the new one. */
async function changedFiles(
  git: RunGit,
  mirror: string,
  between: readonly [string, string],
  pathspecs: readonly string[] = [],
): Promise<FileChange[]> {
  const output = await ask(git, mirror, [
    'diff',
    '--name-status',
    '-z',
    '-M',
    ...between,
    '--',
    ...pathspecs,
  ]);
  const words = (output ?? '').split('\0');
  const files: FileChange[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const change = (words[at] ?? '').charAt(0);
    if (change === 'R') at++;
    files.push({ path: words[at + 1] ?? '', change });
  }
  return files;
}
