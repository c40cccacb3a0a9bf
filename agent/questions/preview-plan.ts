import { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { FileChange, Preview } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { checkPolicy } from '../steps/check-policy.js';
import type { RunGit } from '../steps/git.js';
import { ask, hasCommit } from '../steps/mirror.js';
import { liveCommit, placeOf } from '../steps/place.js';
import { freeBytes, hostProblem } from '../steps/preflight.js';
import { isInPlace, isProvenGood, isStaged } from '../steps/release-layout.js';
import { dirtyCheckout } from './dirty-checkout.js';
import { previewUnits } from './preview-units.js';
import { mustBring, questionGit } from './host-ports.js';
import { irreversibleMigrations } from './irreversible-migrations.js';
import type { HostPorts } from './host-ports.js';
import { codeOf } from './resolve-ref.js';
import type { Code } from './resolve-ref.js';

/** More files are not listed. */
const MOST_FILES = 2000;

/** What a plan would change on this host, and why it would be refused or fail. Reads only; the mirror may grow. */
export async function previewPlan(
  { target, commit, steps, migrationPaths, migrationTool }: Preview,
  ports: HostPorts,
): Promise<HostPreview> {
  if (target === undefined) throw new FraisierError('protocol_violation', 'the question names no target');
  const refused = await checkPolicy(target, steps, ports.policy);
  if (refused !== null) return HostPreview.fromPartial({ refusals: [refused] });
  const onHost = { target, stateFolder: ports.stateFolder };
  const live = await liveCommit(onHost);
  const code = await bringCode(commit, target, steps, ports);
  const units =
    'refusal' in code
      ? { changes: [], refusals: [] }
      : await previewUnits(target, commit, code.mirror, ports);
  return HostPreview.fromPartial({
    currentRelease: live,
    currentProvenGood: await isProvenGood(placeOf(onHost), live),
    freeBytes: await freeBytes(target.appPath),
    alreadyStaged: await isStaged(placeOf(onHost), commit),
    refusals: [
      ...(await hostRefusals(target, ports)),
      ...(await dirtyRefusals(target, ports)),
      ...('refusal' in code ? [code.refusal] : []),
      ...units.refusals,
    ],
    unitFiles: units.changes,
    ...('refusal' in code
      ? {}
      : await changes(questionGit(ports), code, live, commit, { migrationPaths, migrationTool })),
  });
}

/** The commit in the mirror, or why it cannot be had. */
async function bringCode(
  commit: string,
  target: Target,
  steps: Preview['steps'],
  ports: HostPorts,
): Promise<Code | { readonly refusal: Reason }> {
  try {
    const code = await codeOf(target, steps, ports);
    await mustBring(questionGit(ports), { ...code, commit, ref: '', filter: filterOf(steps) });
    return code;
  } catch (error) {
    if (error instanceof FraisierError) return { refusal: error.reason };
    throw error;
  }
}

/** As the plan's own `fetch` would make the mirror. */
function filterOf(steps: Preview['steps']): string {
  const filters = steps.map(({ action }) => (action?.$case === 'fetch' ? action.value.filter : ''));
  return filters.find((filter) => filter !== '') ?? '';
}

/** A checkout in which files were changed would be refused. */
async function dirtyRefusals(target: Target, ports: HostPorts): Promise<readonly Reason[]> {
  const dirty = isInPlace(target) ? await dirtyCheckout(target, ports) : null;
  return dirty === null ? [] : [dirty];
}

async function hostRefusals(target: Target, ports: HostPorts): Promise<readonly Reason[]> {
  const problem = await hostProblem(target, ports.systemd);
  return problem === null ? [] : [problem.reason];
}

/** A partial mirror goes for what it lacks to tell a renamed file. */
type InMirror = Pick<Code, 'mirror' | 'access'>;

/** Without a live release, or with one whose commit is in no mirror, everything is new. */
async function changes(
  git: RunGit,
  { mirror, access }: Code,
  live: string,
  commit: string,
  { migrationPaths, migrationTool }: Pick<Preview, 'migrationPaths' | 'migrationTool'>,
): Promise<Pick<HostPreview, 'files' | 'commitsAhead' | 'estimatedMigrations' | 'irreversibleMigrations'>> {
  const emptyTree = await ask(git, mirror, ['hash-object', '-t', 'tree', '/dev/null']);
  const known = live !== '' && (await hasCommit(git, mirror, live));
  const from = known ? live : (emptyTree ?? '');
  const range = known ? [`${live}..${commit}`] : [commit];
  const ahead = await ask(git, mirror, ['rev-list', '--count', ...range]);
  const migrations = await changedMigrations(git, { mirror, access }, [from, commit], migrationPaths);
  const show = (path: string) => ask(git, mirror, ['show', `${commit}:${path}`], { access });
  return {
    files: (await changedFiles(git, { mirror, access }, [from, commit])).slice(0, MOST_FILES),
    commitsAhead: Number(ahead ?? 0),
    estimatedMigrations: migrations,
    irreversibleMigrations: await irreversibleMigrations(migrationTool, migrations, show),
  };
}

async function changedMigrations(
  git: RunGit,
  code: InMirror,
  between: readonly [string, string],
  globs: readonly string[],
): Promise<string[]> {
  if (globs.length === 0) return [];
  const files = await changedFiles(
    git,
    code,
    between,
    globs.map((glob) => `:(glob)${glob}`),
  );
  return files.map(({ path }) => path);
}

/** `git diff --name-status -z`: a letter and a path in turn; a rename is the letter, the old path and the new one. */
async function changedFiles(
  git: RunGit,
  { mirror, access }: InMirror,
  between: readonly [string, string],
  pathspecs: readonly string[] = [],
): Promise<FileChange[]> {
  const args = ['diff', '--name-status', '-z', '-M', ...between, '--', ...pathspecs];
  const output = await ask(git, mirror, args, { access });
  const words = (output ?? '').split('\0');
  const files: FileChange[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const change = (words[at] ?? '').charAt(0);
    if (change === 'R') at++;
    files.push({ path: words[at + 1] ?? '', change });
  }
  return files;
}
