import { join } from 'node:path';
import type { HealthProbe, Reason, Step, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { ownUser } from '../exec/users.js';
import type { HostUser } from '../exec/users.js';
import type { Policy } from '../policy.js';
import { repositoryOf } from './checkout.js';
import { argvOf } from './command-line.js';
import { environmentOfCommit } from './environment-file-place.js';
import { unitsOf } from './job-units.js';
import {
  mayInstallUnit,
  mayRunCommand,
  mayRunWithAny,
  mayUsePath,
  mayUseRepository,
  mayUseUnit,
  mayUseUser,
  policyReason,
} from './policy-rules.js';
import type { Refusal } from './policy-rules.js';
import { realPath } from './real-path.js';
import { isInPlace } from './release-layout.js';

/**
 * Everything in an assignment that the host's policy refuses, as one reason; null when it allows all of it. Asked before
 * anything runs, and follows the links on this disk: a path that leads out of what is listed is refused.
 */
export async function checkPolicy(
  planned: Target,
  steps: readonly Step[],
  policy: Policy,
  own: HostUser = ownUser(),
): Promise<Reason | null> {
  // Not asked of a path that is not allowed: it would be looked at.
  const hidden = mayUsePath(policy, planned.appPath) !== null;
  const target = hidden ? planned : { ...planned, repository: await repositoryOf(planned) };
  const plain = [
    ...refusalsOfTarget(target, policy, own),
    ...steps.flatMap((step) => refusalsOfStep(step, target, policy, own)),
  ];
  const steering = steps.map(steeringVariable).find((name) => name !== null);
  if (steering !== undefined) return steeringRefused(steering as string);
  const refusals = plain.filter((refusal) => refusal !== null);
  if (refusals.length > 0) return policyReason(policy, refusals);
  return (await environmentOfCommit(target)) ?? policyReason(policy, await escapingLinks(target, policy));
}

/** Variables that say which program a command is, or what it loads: a plan that sets one could run anything. */
const STEERING =
  /^(?:PATH|IFS|ENV|BASH_.*|SHELLOPTS|HOME|TMPDIR|LD_.*|NODE_.*|NPM_CONFIG_.*|PYTHON.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|GIT_.*|SSH_.*|.*JAVA.*OPTIONS)$/i;

/** One that a step, or a step that may come after it, sets for its command; null: none. */
function steeringVariable(step: Step): string | null {
  const { action } = step;
  const own = environmentsOf(action).find((name) => STEERING.test(name)) ?? null;
  if (own !== null || action?.$case !== 'preflight') return own;
  return action.value.later.map(steeringVariable).find((name) => name !== null) ?? null;
}

/** The names of all that an action sets for its commands. */
function environmentsOf(action: Step['action']): readonly string[] {
  if (action?.$case === 'health') {
    return action.value.probes.flatMap(({ look }) =>
      look?.$case === 'command' ? Object.keys(look.value.environment) : [],
    );
  }
  return action !== undefined && 'environment' in action.value ? Object.keys(action.value.environment) : [];
}

function steeringRefused(name: string): Reason {
  return reason('policy_refused', `no policy lets a plan set ${name} for a command: it says what is run`, {
    hint: `put ${name} into the environment_file on this host, and take it out of fraises.yaml`,
    facts: { variable: name },
  });
}

function refusalsOfTarget(target: Target, policy: Policy, own: HostUser): readonly (Refusal | null)[] {
  return [
    mayUsePath(policy, target.appPath),
    target.environmentFile === '' ? null : mayUsePath(policy, target.environmentFile),
    target.repository === '' ? null : mayUseRepository(policy, target.repository),
    target.systemdService === '' ? null : mayUseUnit(policy, target.systemdService),
    target.systemdSocket === '' ? null : mayUseUnit(policy, target.systemdSocket),
    target.user === '' ? null : mayUseUser(policy, target.user, own),
    ...refusalsOfJobs(target, policy),
  ];
}

/** Root runs what a unit file says, so one that comes from a repository is allowed by a line of its own. */
function refusalsOfJobs(target: Target, policy: Policy): readonly (Refusal | null)[] {
  return unitsOf(target).flatMap(({ unit, path }) => [
    mayUseUnit(policy, unit),
    path === '' ? null : mayInstallUnit(policy, unit),
  ]);
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
      return [
        ofFetch(action.value.repository === '' ? target.repository : action.value.repository, target, policy),
      ];
    case 'command':
      return run(argvOf(action.value), action.value.user);
    case 'migrationStatus': {
      const { argv, further, user } = action.value;
      return [argv, ...further.map(({ words }) => words)].flatMap((words) => run(words, user));
    }
    case 'migrate': {
      const { argv, user, anyArguments } = action.value;
      return anyArguments === 0
        ? run(argv, user)
        : [mayRunWithAny(policy, argv, anyArguments), ...run(argv, user).slice(1)];
    }
    case 'backup':
      return [action.value.command, action.value.verify].flatMap((one) =>
        one === undefined ? [] : run(argvOf(one), one.user),
      );
    case 'restart': {
      const { how } = action.value;
      if (how?.$case === 'command') return run(argvOf(how.value), how.value.user);
      const { systemdSocket: socket } = action.value;
      return [
        how === undefined ? null : mayUseUnit(policy, how.value),
        socket === '' ? null : mayUseUnit(policy, socket),
      ];
    }
    case 'script':
      return action.value.run ? run([action.value.path], '') : [mayUseUser(policy, target.user, own)];
    case 'awaitIdle':
      return action.value.units.map((unit) => mayUseUnit(policy, unit));
    case 'deactivate':
      return [action.value.systemdService === '' ? null : mayUseUnit(policy, action.value.systemdService)];
    case 'health':
      return action.value.probes.flatMap((probe) => refusalsOfProbe(probe, policy, run));
    case 'preflight':
      return [
        ...(action.value.health?.probes ?? []).flatMap((probe) => refusalsOfProbe(probe, policy, run)),
        ...action.value.later.flatMap((later) => refusalsOfStep(later, target, policy, own)),
      ];
    case 'stage':
    case 'activate':
    case 'prune':
    case 'unitFiles':
    case 'timers':
    case 'prove':
    case undefined:
      return [];
  }
}

function refusalsOfProbe(
  { look }: HealthProbe,
  policy: Policy,
  run: (argv: readonly string[], user: string) => readonly (Refusal | null)[],
): readonly (Refusal | null)[] {
  switch (look?.$case) {
    case 'command':
      return run(argvOf(look.value), look.value.user);
    case 'unit':
      return [mayUseUnit(policy, look.value.unit)];
    case 'http':
      return [look.value.tlsCaFile === '' ? null : mayUsePath(policy, look.value.tlsCaFile)];
    case 'tcp':
    case 'timers':
    case undefined:
      return [];
  }
}

/** That a checkout has no `origin` is said by preflight. */
function ofFetch(repository: string, target: Target, policy: Policy): Refusal | null {
  return repository === '' && isInPlace(target) ? null : mayUseRepository(policy, repository);
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
