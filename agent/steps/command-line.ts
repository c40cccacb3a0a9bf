import type { Command } from '../../proto/gen/fraisier/v1/plan.js';

/** What a command of the plan means: its argv, or the user's own string for a shell. */
export function argvOf(command: Pick<Command, 'argv' | 'shell'>): readonly string[] {
  return command.argv.length > 0 ? command.argv : ['/bin/sh', '-c', command.shell];
}
