import { Command } from '../../proto/gen/fraisier/v1/plan.js';
import type { UserCommand } from '../fraises/fraises.js';

/** The command of the configuration as the agent is told it, to run in the tree of `commit`. */
export function commandOf({ command, user }: UserCommand, commit: string): Command {
  return Command.fromPartial({
    ...('argv' in command ? { argv: [...command.argv] } : { shell: command.shell }),
    user: user ?? '',
    commit,
  });
}
