import { FraisierError } from '../../proto/error-codes.js';
import type { ResolveRef } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { checkPolicy } from '../steps/check-policy.js';
import { mustHaveRepository } from '../steps/checkout.js';
import { saidBy } from '../steps/ends.js';
import { gitRead, isOk, mirrorFolder, outputOf, refuseAddress } from '../steps/git.js';
import type { RunGit } from '../steps/git.js';
import { accessTo, refusedByHost } from '../steps/git-access.js';
import { ask, bringEverything, hasCommit, saidByGit } from '../steps/mirror.js';
import type { Wanted } from '../steps/mirror.js';
import { isCommit } from '../steps/release-layout.js';
import { errorOf, mustBring, questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';

/**
 * The full commit that a branch, tag or (abbreviated) commit means in the repository now. Throws FraisierError:
 * `policy_refused` when the host would refuse the steps anyway, `unknown_commit`, `fetch_failed`.
 */
export async function resolveRef({ target, ref, steps }: ResolveRef, ports: HostPorts): Promise<string> {
  const { repository, mirror, access } = await codeOf(target, steps, ports);
  const git = questionGit(ports);
  if (isCommit(ref)) return fullCommit(git, { mirror, repository, access, commit: ref, ref: '' });
  if (!/^[A-Za-z0-9_][A-Za-z0-9._/@+-]*$/.test(ref) || ref.includes('..')) throw unknown(ref, repository);
  const code = { repository, mirror, access };
  const named = await byName(git, code, ref);
  const found = named ?? (/^[0-9a-f]{7,39}$/.test(ref) ? await byBeginning(git, code, ref) : null);
  if (found === null) throw unknown(ref, repository);
  return found;
}

/** Where the code of a target is fetched from and to, and how. */
export type Code = Pick<Wanted, 'repository' | 'mirror' | 'access'>;

/** Of the target, once the policy has nothing against what is meant to be done with it. Throws FraisierError. */
export async function codeOf(
  target: Target | undefined,
  steps: ResolveRef['steps'],
  ports: HostPorts,
): Promise<Code> {
  if (target === undefined) throw new FraisierError('protocol_violation', 'the question names no target');
  const refused = await checkPolicy(target, steps, ports.policy);
  if (refused !== null) throw errorOf(refused);
  const repository = await mustHaveRepository(target);
  const address = refuseAddress(repository);
  if (address !== null) throw errorOf(address);
  const access = await accessTo(repository, ports);
  return { repository, access, mirror: mirrorFolder(ports.stateFolder, repository) };
}

async function fullCommit(git: RunGit, wanted: Parameters<typeof mustBring>[1]): Promise<string> {
  if (!(await hasCommit(git, wanted.mirror, wanted.commit))) await mustBring(git, wanted);
  return wanted.commit;
}

/** A branch before a tag; of an annotated tag, the commit it names. */
async function byName(
  git: RunGit,
  { repository, mirror, access }: Code,
  ref: string,
): Promise<string | null> {
  const names = [`refs/heads/${ref}`, `refs/tags/${ref}^{}`, `refs/tags/${ref}`, ref];
  const end = await git(gitRead(mirror, ['ls-remote', '--', repository, ...names], { access }));
  if (!isOk(end)) {
    const refused = refusedByHost(repository, saidBy(end), access);
    if (refused !== null) throw errorOf(refused);
    throw new FraisierError('fetch_failed', `git could not ask ${repository}: ${saidByGit(saidBy(end))}`, {
      hint: 'check on the host that this user can reach the repository: git ls-remote',
    });
  }
  const found = new Map(
    outputOf(end)
      .split('\n')
      .map((line) => [line.split('\t')[1] ?? '', line.split('\t')[0] ?? '']),
  );
  return (
    names.map((name) => found.get(name)).find((commit) => commit !== undefined && isCommit(commit)) ?? null
  );
}

async function byBeginning(git: RunGit, code: Code, ref: string): Promise<string | null> {
  const brought = await bringEverything(git, code);
  if (brought.is === 'refused') throw errorOf(brought.reason);
  return ask(git, code.mirror, ['rev-parse', '--quiet', '--verify', `${ref}^{commit}`], { offline: true });
}

function unknown(ref: string, repository: string): FraisierError {
  return new FraisierError('unknown_commit', `${repository} has no branch, tag or commit "${ref}"`, {
    facts: { ref, repository },
  });
}
