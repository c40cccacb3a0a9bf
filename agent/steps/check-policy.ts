import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Reason, Step, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { ownUser } from '../exec/users.js';
import type { HostUser } from '../exec/users.js';
import type { Policy } from '../policy.js';
import { argvOf } from './command-line.js';
import {
  mayRunCommand,
  mayUsePath,
  mayUseRepository,
  mayUseUnit,
  mayUseUser,
  policyReason,
} from './policy-rules.js';
import type { Refusal } from './policy-rules.js';

/**
 * Everything in an assignment that the host's policy refuses, as one reason; null when it allows all of it. Asked before
 * anything runs, and follows the links on this disk: a path that leads out of what is listed is refused.
 */
export async function checkPolicy(
  target: Target,
  steps: readonly Step[],
  policy: Policy,
  own: HostUser = ownUser(),
): Promise<Reason | null> {
  const plain = [
    ...refusalsOfTarget(target, policy, own),
    ...steps.flatMap((step) => refusalsOfStep(step, target, policy, own)),
  ];
  const refusals = plain.filter((refusal) => refusal !== null);
  return policyReason(policy, refusals.length > 0 ? refusals : await escapingLinks(target, policy));
}

function refusalsOfTarget(target: Target, policy: Policy, own: HostUser): readonly (Refusal | null)[] {
  return [
    mayUsePath(policy, target.appPath),
    target.environmentFile === '' ? null : mayUsePath(policy, target.environmentFile),
    target.repository === '' ? null : mayUseRepository(policy, target.repository),
    target.systemdService === '' ? null : mayUseUnit(policy, target.systemdService),
    target.user === '' ? null : mayUseUser(policy, target.user, own),
  ];
}

function refusalsOfStep(
  step: Step,
  target: Target,
  policy: Policy,
  own: HostUser,
): readonly (Refusal | null)[] {
  const run = (argv: readonly string[], user: string): readonly (Refusal | null)[] => [
    mayRunCommand(policy, argv),
    mayUseUser(policy, user === '' ? target.user : user, own),
  ];
  const { action } = step;
  switch (action?.$case) {
    case 'fetch':
      return [mayUseRepository(policy, action.value.repository)];
    case 'command':
      return run(argvOf(action.value), action.value.user);
    case 'migrationStatus':
    case 'migrate':
      return run(action.value.argv, action.value.user);
    case 'restart': {
      const { how } = action.value;
      if (how?.$case === 'command') return run(argvOf(how.value), how.value.user);
      return [how === undefined ? null : mayUseUnit(policy, how.value)];
    }
    case 'deactivate':
      return [action.value.systemdService === '' ? null : mayUseUnit(policy, action.value.systemdService)];
    case 'preflight':
    case 'stage':
    case 'activate':
    case 'health':
    case 'prune':
    case 'backup':
    case 'script':
    case 'awaitIdle':
    case 'unitFiles':
    case 'timers':
    case undefined:
      return [];
  }
}

/** Where the paths of the target really are; a path that is not there yet is where its nearest folder is. */
async function escapingLinks(target: Target, policy: Policy): Promise<readonly Refusal[]> {
  const listed = await Promise.all(policy.paths.filter((path) => path.startsWith('/')).map(realPath));
  const real = { ...policy, paths: [...policy.paths, ...listed] };
  const wanted = [target.appPath, join(target.appPath, 'releases'), join(target.appPath, 'shared')];
  if (target.environmentFile !== '') wanted.push(target.environmentFile);
  const places = await Promise.all(wanted.map(realPath));
  return places.map((place) => mayUsePath(real, place)).filter((refusal) => refusal !== null);
}

/** Of an absolute path. */
async function realPath(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null);
  return real ?? join(await realPath(dirname(path)), path.slice(dirname(path).length));
}
