import { endOfCommand, failed, lastLine, saidBy, saysDiskFull } from './ends.js';
import { GIT_ENVIRONMENT, GIT_SETTINGS, gitOf, isOk } from './git.js';
import { layoutOf } from './release-layout.js';
import type { CommandEnd, StepCommand, StepContext, StepEnd } from './step.js';
import type { ErrorCode } from '../../proto/error-codes.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';

/**
 * Git in the checkout at `app_path`, as the user whose code it is: what is configured in a checkout can run programs, so
 * it is never git of an agent that is root for somebody else.
 */
export function gitHere(
  target: Target,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): StepCommand {
  const { app } = layoutOf(target);
  // Fraisier's own commits, of what lies in the tree before it is replaced, need an author.
  const settings = [
    ...GIT_SETTINGS,
    'user.name=Fraisier',
    'user.email=fraisier@localhost',
    'advice.detachedHead=false',
  ];
  const git = ['git', '-C', app, ...settings.flatMap((one) => ['-c', one]), ...args];
  return {
    argv: git,
    cwd: '/',
    environment: { ...GIT_ENVIRONMENT, ...environment },
    capture: true,
    ...(target.user === '' ? {} : { user: target.user }),
  };
}

/** As `gitHere`, of a step: what it says is in the step's log. */
export function runHere(
  context: StepContext,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandEnd> {
  return gitOf(context)(gitHere(context.target, args, environment));
}

/** How a step ends when its git in the checkout did not do what it should; null when it did. */
export function problemHere(end: CommandEnd, what: string, code: ErrorCode): StepEnd | null {
  if (isOk(end)) return null;
  if (end.ended !== 'exited' || saysDiskFull(saidBy(end))) return endOfCommand(end, what, code);
  return failed(code, `${what}: ${firstFault(saidBy(end))}`);
}

/** Git's own reason, before its advice. */
export function firstFault(output: string): string {
  const fault = output.split('\n').find((line) => /^(?:fatal|error):/.test(line));
  return fault ?? (lastLine(output) || 'git did not say why');
}

/** Names of a `-z` list. */
export function namesIn(output: string): readonly string[] {
  return output.split('\0').filter((name) => name !== '');
}
