import type { IsAncestor } from '../../proto/gen/fraisier/v1/agent.js';
import { gitRead, isOk } from '../steps/git.js';
import { mustBring, questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';
import { codeOf } from './resolve-ref.js';

/** Whether one commit is in the history of another (or is that other). Throws FraisierError when either cannot be had. */
export async function isAncestor(
  { target, ancestor, descendant }: IsAncestor,
  ports: HostPorts,
): Promise<boolean> {
  const code = await codeOf(target, [], ports);
  const git = questionGit(ports);
  for (const commit of [ancestor, descendant]) await mustBring(git, { ...code, commit, ref: '' });
  return isOk(await git(gitRead(code.mirror, ['merge-base', '--is-ancestor', ancestor, descendant])));
}
