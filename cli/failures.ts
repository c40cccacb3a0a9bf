import type { ErrorCode } from '../proto/error-codes.js';
import type { Reason } from '../proto/gen/fraisier/v1/plan.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { withoutControls } from './for-terminal.js';

/** An error as it leaves the program: at most two lines for people, one JSON object for programs. */
export interface Failure {
  readonly code: string;
  /** What and why, in one sentence. Empty: there is nothing to say. */
  readonly message: string;
  /** The next command to type, or the act that helps; may be empty. */
  readonly hint: string;
  readonly exitCode: number;
}

/** What to type next where the controller did not say. */
const NEXT: Readonly<Partial<Record<ErrorCode, string>>> = {
  no_configuration: 'fraisier apply fraises.yaml',
  unknown_fraise: 'fraisier list',
  unknown_environment: 'fraisier list',
  unknown_deployment: 'fraisier history',
  unknown_webhook: 'fraisier webhooks',
  unknown_agent: 'fraisier agents',
  unknown_host: 'fraisier agents',
  no_hosts: 'fraisier agents',
  agent_away: 'fraisier agents',
  no_answer: 'fraisier agents',
  unauthenticated: 'fraisier login ADDRESS',
  token_invalid: 'fraisier login ADDRESS',
  token_expired: 'fraisier login ADDRESS',
  not_allowed: 'ask an administrator for a token with another role',
  controller_away: 'check that the controller runs and that this machine reaches it',
};

/**
 * Whatever was thrown, as a failure. Usage errors of the parser point at the help of the command that was typed
 * (`agents token`; empty: none that there is).
 */
export function failureOf(error: unknown, typed: string): Failure {
  const found = reasonOf(error);
  if (found !== undefined) {
    const hint = found.hint || ((NEXT as Readonly<Record<string, string>>)[found.code] ?? '');
    return { code: found.code, message: found.message, hint, exitCode: exitCodeOfError(found.code) };
  }
  const exitCode = usageExitOf(error);
  if (exitCode !== undefined) return usageFailure(error as ParserError, typed, exitCode);
  if (isOfTheSystem(error)) return systemFailure(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message: `this should not have happened: ${message}`,
    hint: 'report it, with what was typed',
    exitCode: EXIT.away,
  };
}

/** For stderr: what and why, then the next command. */
export function failureText(failure: Failure): string {
  const next = failure.hint === '' ? '' : `next: ${withoutControls(failure.hint)}\n`;
  return `error: ${withoutControls(failure.message.trimEnd(), 'lines')}\n${next}`;
}

/** For stderr with `--json`: `{"error":{"code":…,"message":…,"hint":…|null}}` on one line. */
export function failureJson({ code, message, hint }: Failure): string {
  return `${JSON.stringify({ error: { code, message, hint: hint === '' ? null : hint } })}\n`;
}

/** Whether the caller asked for JSON, known even when the command line cannot be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

// Known by shape: importing the class would load grpc for every `--help`.
function reasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof Error) || error.name !== 'FraisierError' || !('reason' in error)) return undefined;
  return error.reason as Reason;
}

function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** A file that cannot be read or written: the message names it. */
function systemFailure(error: NodeJS.ErrnoException): Failure {
  const forbidden = error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS';
  const hint = forbidden ? 'run it as root, or as the owner of that file' : '';
  return { code: 'usage', message: error.message, hint, exitCode: EXIT.usage };
}

function usageExitOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('oclif' in error)) return undefined;
  return (error.oclif as { exit?: number }).exit;
}

/** What the parser knows about a command line it refused. */
interface ParserError extends Error {
  readonly code?: string;
  readonly args?: readonly { readonly name?: string }[];
}

function usageFailure(error: ParserError, typed: string, exit: number): Failure {
  if (error.code === 'EEXIT') return { code: 'exit', message: '', hint: '', exitCode: exit };
  const unknown = /^command (\S+) not found$/.exec(error.message)?.[1];
  const hint = `fraisier ${typed === '' ? '' : `${typed} `}--help`;
  const message =
    unknown === undefined ? parserSentence(error) : `unknown command: ${unknown.replaceAll(':', ' ')}`;
  return { code: 'usage', message, hint, exitCode: EXIT.usage };
}

/** The parser explains over several lines and ends with "See more help": one line says it here, the hint does the rest. */
function parserSentence(error: ParserError): string {
  if (/^Missing \d+ required arg/.test(error.message) && error.args !== undefined) {
    return `missing: ${error.args.map(({ name }) => (name ?? '').toUpperCase()).join(', ')}`;
  }
  const lines = error.message
    .split('\n')
    .map((line) => line.trim().replace(/^The following errors? occurred:\s*/, ''));
  return lines.filter((line) => line !== '' && !line.startsWith('See more help')).join(' ');
}
