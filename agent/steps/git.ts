import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { GitAccess } from './git-access.js';
import { quoteWord } from './policy-rules.js';
import type { CommandEnd, StepCommand, StepContext } from './step.js';

/** Runs git to its end; its output is the data it answered with, what it said is in `errors` (see `saidBy`). */
export type RunGit = (command: StepCommand) => Promise<CommandEnd>;

/** Git must never ask: there is nobody to answer. What it needs to know is the host's own configuration. */
export const GIT_ENVIRONMENT = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '',
  SSH_ASKPASS: '',
  GCM_INTERACTIVE: 'never',
  LC_ALL: 'C',
};

/** A connection that stands still is given up; nothing goes on in the background; no hook of the host runs. */
export const GIT_SETTINGS: readonly string[] = [
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=60',
  'gc.autoDetach=false',
  'maintenance.auto=false',
  'core.hooksPath=/dev/null',
];

/**
 * One writer per mirror, also across agents: the lock is held by git itself and ends with it. Whoever holds it knows that
 * the lock files in the mirror are left from a git that was killed. Without flock(1) none is removed.
 */
const LOCKED = `mirror=$1
shift
if command -v flock >/dev/null 2>&1; then
  exec 9>>"$mirror.flock"
  flock 9
  if [ -d "$mirror" ]; then find "$mirror" -name '*.lock' -type f -delete; fi
fi
`;

const WRITE = `${LOCKED}exec git --git-dir="$mirror" "$@"`;

/** The bare mirror of a repository, below the agent's state folder. */
export function mirrorFolder(stateFolder: string, repository: string): string {
  return join(mirrorsFolder(stateFolder), createHash('sha256').update(repository).digest('hex').slice(0, 32));
}

/** Where the bare mirrors of all repositories lie. */
export function mirrorsFolder(stateFolder: string): string {
  return join(stateFolder, 'mirrors');
}

/** What a call of git may use beside the mirror. */
export interface GitUse {
  /** What the repository wants to see before it answers. */
  readonly access?: Pick<GitAccess, 'settings' | 'environment'>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Nothing may be fetched: a partial mirror would else go for what it lacks. */
  readonly offline?: boolean;
}

/** Git that changes nothing in the mirror's refs and objects. */
export function gitRead(mirror: string, args: readonly string[], use: GitUse = {}): StepCommand {
  const settings = settingsOf(use).flatMap((one) => ['-c', one]);
  return {
    argv: ['git', `--git-dir=${mirror}`, ...settings, ...args],
    environment: environmentOf(use),
    capture: true,
  };
}

/** Git that does; waits for others that do. */
export function gitWrite(mirror: string, args: readonly string[], use: GitUse = {}): StepCommand {
  const settings = settingsOf(use).flatMap((one) => ['-c', one]);
  return {
    argv: ['/bin/sh', '-c', WRITE, 'git', mirror, ...settings, ...args],
    environment: environmentOf(use),
    capture: true,
  };
}

/** A script of ours that writes to the mirror: `run` is git in it, the arguments are `$1` and so on. */
export function gitScript(script: string, mirror: string, args: readonly string[], use: GitUse): StepCommand {
  const settings = settingsOf(use).map((one) => `-c ${quoteWord(one)}`);
  const run = `run() { git ${settings.join(' ')} --git-dir="$mirror" "$@"; }\n`;
  return {
    argv: ['/bin/sh', '-c', `${LOCKED}${run}${script}`, 'git', mirror, ...args],
    environment: environmentOf(use),
    capture: true,
  };
}

function settingsOf({ access, offline = false }: GitUse): readonly string[] {
  return [...GIT_SETTINGS, ...(access?.settings ?? []), ...(offline ? ['protocol.allow=never'] : [])];
}

function environmentOf({ access, environment }: GitUse): Readonly<Record<string, string>> {
  return { ...GIT_ENVIRONMENT, ...access?.environment, ...environment };
}

/** Git as a step runs it: what it answered is in the step's log as well, beside what it said. */
export function gitOf(context: StepContext): RunGit {
  return async (command) => {
    const end = await context.command(command);
    if (end.ended === 'exited' && end.output.trim() !== '') await context.log(end.output.trimEnd());
    return end;
  };
}

/** Whether the command exited with 0. */
export function isOk(end: CommandEnd): boolean {
  return end.ended === 'exited' && end.exitCode === 0;
}

/** What was captured of standard output; empty when it did not exit by itself. */
export function outputOf(end: CommandEnd): string {
  return end.ended === 'exited' ? end.output : '';
}

/**
 * Why an address cannot be given to git: a secret in it would be seen in process lists and records, and some forms of
 * address run programs. Null when it can. The message never repeats a secret.
 */
export function refuseAddress(repository: string): Reason | null {
  if (repository === '') return reason('fetch_failed', 'the plan names no repository to fetch from');
  if (repository.startsWith('-') || repository.includes('::') || /[\s\p{Cc}]/u.test(repository)) {
    return reason('fetch_failed', 'the address of the repository is not one that Fraisier gives to git');
  }
  const [, scheme = '', userinfo] = /^([a-z+]+):\/\/(?:([^/]*)@)?/i.exec(repository) ?? [];
  const secret = userinfo !== undefined && (/^https?$/i.test(scheme) || userinfo.includes(':'));
  if (!secret) return null;
  return reason(
    'fetch_failed',
    'the address of the repository carries a user name or password, which others could read',
    {
      hint: 'write the address without it, and give it to the host: fraisier agent allow --repository URL --token-file FILE',
    },
  );
}
