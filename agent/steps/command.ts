import type { Command } from '../../proto/gen/fraisier/v1/plan.js';
import { argvOf } from './command-line.js';
import { endOfCommand, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import type { RunStep } from './step.js';

/** Runs one command of the plan in its release. One command only: a later agent adopts it by that. */
export const command: RunStep<Command> = async (spec, context) => {
  const argv = argvOf(spec);
  const end = await context.command(releaseCommand(argv, spec, context));
  if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
  return endOfCommand(end, nameOf(argv), 'command_failed');
};

/** Short enough for a sentence. */
export function nameOf(argv: readonly string[]): string {
  const [program, flag, ...line] = argv;
  const words = program === '/bin/sh' && flag === '-c' ? line : argv;
  const plain = words.join(' ').replace(/\s+/g, ' ').trim();
  return `the command "${plain.length > 100 ? `${plain.slice(0, 97)}…` : plain}"`;
}
