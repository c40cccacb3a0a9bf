import { reason } from '../../proto/error-codes.js';
import type { FileChange } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { minimalEnvironment } from '../exec/environment.js';
import { runProgram } from '../exec/run-program.js';
import type { ProgramEnd } from '../exec/run-program.js';
import { findUser, ownUser } from '../exec/users.js';
import { changedIn, dirtyReason, STATUS } from '../steps/dirty-tree.js';
import { firstFault, gitHere, namesIn } from '../steps/git-in-checkout.js';
import { layoutOf } from '../steps/release-layout.js';
import type { HostPorts } from './host-ports.js';

const GIT_LIMIT_MS = 60_000;
/** More are not named. */
const MOST_NAMED = 50;

/**
 * Why a deployment would refuse the checkout at `app_path` as it is now: files that were changed, or git that does not
 * work there. Null when nothing would. Git runs as the user of the target, and writes nothing.
 */
export async function dirtyCheckout(
  target: Target,
  ports: Pick<HostPorts, 'signal'>,
): Promise<Reason | null> {
  const { app } = layoutOf(target);
  const end = await askHere(target, STATUS, ports);
  // Who cannot run anything here is named by the look at the host itself.
  if (end === null) return null;
  if (end.exitCode === 0) {
    const files = changedIn(end.stdout);
    return files.length === 0 ? null : dirtyReason(app, files);
  }
  const said = end.exitCode === null ? end.problem : firstFault(end.stderr);
  return reason('preflight_failed', `git could not look at the checkout ${app}: ${said}`);
}

/** Files that were changed in the checkout, and those that are neither tracked nor ignored (`?`); empty where git does not tell. */
export async function changesInCheckout(
  target: Target,
  ports: Pick<HostPorts, 'signal'>,
): Promise<readonly FileChange[]> {
  const everything = STATUS.map((flag) =>
    flag.startsWith('--untracked-files') ? '--untracked-files=all' : flag,
  );
  const end = await askHere(target, [...everything, '--no-renames'], ports);
  if (end?.exitCode !== 0) return [];
  return namesIn(end.stdout)
    .slice(0, MOST_NAMED)
    .map((entry) => ({ path: entry.slice(3), change: entry.trim().charAt(0) }));
}

/** Null: this host cannot run anything as that user. */
async function askHere(
  target: Target,
  args: readonly string[],
  ports: Pick<HostPorts, 'signal'>,
): Promise<ProgramEnd | null> {
  const { argv, environment = {} } = gitHere(target, args);
  const own = ownUser();
  const asOther = target.user !== '' && target.user !== own.name;
  const user = asOther ? await findUser(target.user) : own;
  if (user === null || (asOther && own.uid !== 0)) return null;
  return runProgram(argv, {
    timeoutMs: GIT_LIMIT_MS,
    environment: { ...minimalEnvironment(user), ...environment },
    signal: ports.signal,
    ...(asOther ? { as: user } : {}),
  });
}
