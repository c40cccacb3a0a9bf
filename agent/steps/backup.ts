import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Backup, Command } from '../../proto/gen/fraisier/v1/plan.js';
import { nameOf } from './command.js';
import { argvOf } from './command-line.js';
import { endOfCommand, failed, lastLine, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import type { CommandEnd, RunStep, StepContext, StepEnd } from './step.js';

/** Makes the backup and makes sure of it, by `verify` or by the file whose path the command printed last. */
export const backup: RunStep<Backup> = async ({ command, verify }, context) => {
  if (command === undefined) return failed('backup_failed', 'the plan does not say how to make the backup');
  const since = context.now().getTime();
  const made = await run(command, context);
  if (made.ended !== 'exited' || made.exitCode !== 0) return notMade(made, command);
  if (verify === undefined) return verifiedFile(lastLine(made.output), since);
  const verified = await run(verify, context);
  if (verified.ended !== 'exited' || verified.exitCode !== 0) return notMade(verified, verify);
  return succeeded({ exitCode: 0, summary: `verified by ${nameOf(argvOf(verify))}` });
};

async function run(spec: Command, context: StepContext): Promise<CommandEnd> {
  const end = await context.command(releaseCommand(argvOf(spec), spec, context, { capture: true }));
  if (end.ended === 'exited' && end.output.trim() !== '') await context.log(end.output.trimEnd());
  return end;
}

/** Whatever it was (also that it is not there), it is the backup that failed. */
function notMade(end: CommandEnd, command: Command): StepEnd {
  const ended = endOfCommand(end, nameOf(argvOf(command)), 'backup_failed');
  if (ended.outcome !== Outcome.FAILED || ended.reason.code === 'timed_out') return ended;
  return {
    ...ended,
    reason: reason('backup_failed', `no backup, no migration: ${ended.reason.message}`, ended.reason),
  };
}

/** A file of just now that has something in it. Clocks of disks count whole seconds here and there. */
async function verifiedFile(path: string, since: number): Promise<StepEnd> {
  const hint =
    'let the command print the path of the backup as its last line, or say backup_before: { verify: … }';
  const no = (why: string) =>
    failed('backup_failed', `no backup, no migration: ${why}`, { hint, facts: { output: path } });
  if (!isAbsolute(path)) return no('the last line that the command printed is not the path of a file');
  const file = await stat(path).catch(() => null);
  if (file === null || !file.isFile()) return no(`${path} is not there`);
  if (file.size === 0) return no(`${path} is empty`);
  if (file.mtimeMs < since - 2000) return no(`${path} was not written by this backup, but before it`);
  return succeeded({ exitCode: 0, summary: `${path}, ${file.size} bytes` });
}
